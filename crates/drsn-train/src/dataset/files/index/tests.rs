//! Tables with one line for each file, right and wrong.

use proptest::prelude::*;

use super::*;

fn refuse(text: &str) -> String {
    parse(text, Path::new("data")).unwrap_err()
}

#[test]
fn columns_are_found_by_name_whatever_separates_them() {
    for text in [
        "file,label,group,sample_rate_hz\nb.wav,worn,a,48000\na.wav,new,,\n",
        "\u{feff}group;file;label;sample_rate_hz\r\na;b.wav;worn;48e3\r\n\r\n;a.wav;new;\r\n",
        "label\tfile\tsample_rate_hz\tgroup\nworn\t\"b.wav\"\t48000\ta\nnew\t a.wav\t\t\n",
    ] {
        let Listing { classes, entries, .. } = parse(text, Path::new("data")).unwrap();
        assert_eq!(classes, ["worn", "new"], "{text}");
        assert_eq!(entries[0].group.as_deref(), Some("a"));
        assert_eq!(entries[0].sample_rate_hz, Some(48_000.0));
        assert_eq!((entries[1].path.to_str(), entries[1].class), (Some("data/a.wav"), 1));
        assert_eq!((&entries[1].group, entries[1].sample_rate_hz), (&None, None));
    }
}

#[test]
fn quotes_keep_separators_and_quotes() {
    assert_eq!(cells("\"a,\"\"b\"\"\", c\"d", ',').unwrap(), ["a,\"b\"", "c\"d"]);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    assert!(refuse("").contains("empty"));
    assert!(refuse("file,lable\n").contains("no column label: its first line"));
    assert!(refuse("file,lable\n").contains("and has file, lable"));
    assert!(refuse("file,group\n").contains("no column label"));
    assert!(refuse("file,file\n").contains("duplicate column file"));
    assert_eq!(
        refuse("file,label\na.wav\n"),
        "line 2: expected 2 cells as in the first line, found 1"
    );
    assert_eq!(refuse("file,label\n\na.wav,\n"), "line 3: a.wav has no label");
    assert!(refuse("file,label,split\na,b,tset\n").contains("\"tset\""));
    assert!(refuse("file,label,sample_rate_hz\na,b,-1\n").contains("positive"));
    assert!(refuse("file,label\n\"a,b\n").contains("not closed"));
    assert!(refuse("file,label,start_s\na,b,-1\n").contains("start_s must be a number of sec"));
    assert!(refuse("file,label,stop_s\na,b,end\n").contains("got \"end\""));
    assert!(refuse("file,label,start_s,stop_s\na,b,2,2\n").contains("must be after start_s"));
}

/// Tables come from spreadsheets, with columns for people.
#[test]
fn columns_for_people_are_ignored_and_told() {
    let text = "File,Label,Comment,LABEL 2\r\na.wav,new,\"by hand, loud\",x\r\nb.wav,worn,,\r\n";
    let listing = parse(text, Path::new("data")).unwrap();
    assert_eq!(listing.classes, ["new", "worn"]);
    let note = listing.notes[0].to_string();
    assert!(note.ends_with("which are not used: Comment, LABEL 2"), "{note}");
    assert!(parse("file,label\na,b\n", Path::new("")).unwrap().notes.is_empty());
}

/// Regression: each line was compared with all labels before it, so that a table whose labels
/// all differ, as measurements do, took hours.
#[test]
fn a_table_whose_labels_all_differ_is_read_about_as_fast_as_another() {
    let table = |labels: usize| {
        let lines = (0..150_000).map(|line| format!("a.wav,{}\n", line % labels));
        let text = lines.fold("file,label\n".to_owned(), |text, line| text + &line);
        let started = std::time::Instant::now();
        let Listing { classes, entries, .. } = parse(&text, Path::new("")).unwrap();
        let listing = Listing { classes, entries, ..Listing::default() };
        listing.check().unwrap();
        started.elapsed()
    };
    let (few, many) = (table(2), table(150_000));
    assert!(many < 20 * few, "{many:?}, and {few:?} with two labels");
}

proptest! {
    #[test]
    fn no_text_can_make_it_panic(text in "[a-z,;\t\"\n]{0,60}") {
        let _ = parse(&text, Path::new(""));
        let _ = parse(&format!("file,label\n{text}"), Path::new(""));
    }
}
