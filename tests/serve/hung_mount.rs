//! A file system that never answers, as a network mount whose server is gone: a FUSE mount whose
//! requests nobody reads. It needs root.

use std::{
    ffi::CString,
    fs::{File, OpenOptions},
    io,
    os::{fd::AsRawFd as _, unix::ffi::OsStrExt as _},
    path::Path,
};

/// Mounted until it is dropped; then everything that waits for it fails.
pub(crate) struct HungMount {
    folder: CString,
    _requests: File,
}

impl HungMount {
    /// Mounts it over a folder.
    #[expect(unsafe_code, reason = "std cannot mount")]
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let requests = OpenOptions::new().read(true).write(true).open("/dev/fuse")?;
        let options =
            format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other", requests.as_raw_fd());
        let options = CString::new(options)?;
        let folder = CString::new(folder.as_os_str().as_bytes())?;
        // SAFETY: every pointer is to a string with a final zero that outlives the call.
        let status = unsafe {
            libc::mount(
                c"drsn".as_ptr(),
                folder.as_ptr(),
                c"fuse".as_ptr(),
                libc::MS_NOSUID | libc::MS_NODEV,
                options.as_ptr().cast(),
            )
        };
        if status == 0 {
            Ok(Self { folder, _requests: requests })
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Drop for HungMount {
    #[expect(unsafe_code, reason = "std cannot unmount")]
    fn drop(&mut self) {
        // SAFETY: the pointer is to a string with a final zero that outlives the call.
        unsafe { libc::umount2(self.folder.as_ptr(), libc::MNT_DETACH) };
    }
}
