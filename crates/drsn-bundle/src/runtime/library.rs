//! Finds and loads ONNX Runtime's shared library, once per process.

use std::{
    env,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    sync::Mutex,
};

use super::{RuntimeError, operators};

/// File name of the library.
pub const LIBRARY_NAME: &str =
    if cfg!(target_os = "macos") { "libonnxruntime.dylib" } else { "libonnxruntime.so" };

/// The environment variable with the path of the library.
const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";

/// The system's folders of shared libraries.
const SYSTEM_FOLDERS: [&str; 5] = [
    "/usr/local/lib",
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
];

/// The loaded ONNX Runtime.
#[derive(Clone)]
pub struct Runtime {
    pub(super) environment: ort::environment::Environment,
    library: PathBuf,
}

/// ONNX Runtime has one environment per process, until the process ends.
static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

impl Runtime {
    /// Loads the library, or returns the one that this process has loaded before.
    ///
    /// It is searched at `explicit`, else at `ORT_DYLIB_PATH`, else beside the executable, in the
    /// folder `onnxruntime` of the build directory above it, and in the system's folders.
    ///
    /// # Errors
    /// [`RuntimeError::NotFound`] or [`RuntimeError::Unusable`].
    pub fn start(explicit: Option<&Path>) -> Result<Self, RuntimeError> {
        let mut loaded = LOADED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(runtime) = &*loaded {
            return Ok(runtime.clone());
        }
        let runtime = Self::load(find(explicit)?)?;
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// The library's path.
    pub fn library(&self) -> &Path {
        &self.library
    }

    fn load(library: PathBuf) -> Result<Self, RuntimeError> {
        let unusable = |reason: String| RuntimeError::Unusable { path: library.clone(), reason };
        let environment = ort::init_from(&library)
            .map_err(|e| unusable(e.to_string()))?
            .with_name("drsn")
            // Microsoft's builds send telemetry by default.
            .with_telemetry(false)
            .build()
            .map_err(|e| unusable(e.to_string()))?;
        // Its log goes to standard error in its own format; all that matters is returned as errors.
        environment.set_log_level(ort::logging::LogLevel::Fatal);
        operators::register(&environment).map_err(|e| unusable(e.to_string()))?;
        Ok(Self { environment, library })
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("library", &self.library).finish_non_exhaustive()
    }
}

/// The value of a variable of the environment; an empty one is not set.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn find(explicit: Option<&Path>) -> Result<PathBuf, RuntimeError> {
    let by_flag = explicit.map(|path| ("--onnxruntime", path.to_owned()));
    let named =
        by_flag.or_else(|| variable(LIBRARY_VARIABLE).map(|path| (LIBRARY_VARIABLE, path.into())));
    if let Some((by, path)) = named {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(RuntimeError::NoSuchLibrary { by, path })
        };
    }
    let searched: Vec<PathBuf> = folders().iter().flat_map(|f| candidates(f)).collect();
    match searched.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(RuntimeError::NotFound { searched }),
    }
}

fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(beside) =
        env::current_exe().ok().and_then(|executable| executable.parent().map(Path::to_owned))
    {
        // Both target/release/drsn-serve and target/debug/deps/some-test find target/onnxruntime.
        let caches = beside.ancestors().skip(1).take(2).map(|f| f.join("onnxruntime"));
        folders.extend(caches);
        folders.insert(0, beside);
    }
    folders.extend(SYSTEM_FOLDERS.iter().map(PathBuf::from));
    folders
}

/// The library's plain name, then the versioned names in the folder in descending order.
fn candidates(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .and_then(|name| name.strip_prefix(LIBRARY_NAME))
                .and_then(|version| version.strip_prefix('.'))
                .is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        })
        .collect();
    paths.sort();
    paths.reverse();
    paths.insert(0, folder.join(LIBRARY_NAME));
    paths
}
