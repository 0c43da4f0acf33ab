//! Tables as scopes, loggers, telephones and MATLAB write them: each was read otherwise than its maker
//! describes it, or refused although everybody else reads it, or refused with advice that lost rows.

mod silent;

use drsn_recording::{ChannelId, Limits, NoticeCode, Recording, RecordingFormat, Selection};
use ndarray::Array2;

const LIMITS: Limits = Limits::new(1 << 24, 1 << 20);

/// Hundredths that swing, as signals do.
fn sample(row: usize) -> f32 {
    ((row * 37 % 101) as f32 - 50.0) / 100.0
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(|row| line(row) + "\n").collect()
}

fn read(text: &str) -> Result<Recording, String> {
    choose(text, &[])
}

fn choose(text: &str, channel: &[&str]) -> Result<Recording, String> {
    let channel = channel.iter().map(|&name| ChannelId::from(name)).collect();
    let selection = Selection { channel, ..Selection::default() };
    Recording::read(RecordingFormat::Csv, text.as_bytes(), &selection, &LIMITS)
        .map_err(|error| error.to_string())
}

/// Reads a text, and tells whether its channels are the signal, and nothing else.
fn assert_signal(text: &str, rate: Option<f64>, channels: usize) -> Recording {
    let found = read(text).unwrap_or_else(|error| panic!("{error}\n{text:.600}"));
    assert_eq!(found.channels(), channels, "{text:.600}");
    let right: Vec<f32> = (0..found.len()).map(sample).collect();
    assert!(found.samples.rows().into_iter().all(|row| row.to_vec() == right), "{text:.600}");
    let near = |found: f64, right: f64| (found - right).abs() <= 1e-5 * right;
    match (found.sample_rate_hz, rate) {
        (Some(found), Some(right)) => assert!(near(found, right), "{found}: {text:.600}"),
        (found, right) => assert_eq!(found, right, "{text:.600}"),
    }
    found
}

fn codes(found: &Recording) -> Vec<NoticeCode> {
    found.notices.iter().map(|notice| notice.code).collect()
}

/// The advice to skip 15 lines lost as many samples.
#[test]
fn notes_beside_the_first_rows_are_no_samples() {
    let notes =
        ["Record Length,300", "Sample Interval,1e-3", "Trigger Point,1.0e+01", ",", "Source,CH1"];
    let tektronix = lines(300, |row| {
        let note = notes.get(row).unwrap_or(&",");
        format!("{note},,{:.6},{:.2},", row as f64 / 1000.0 - 0.1, sample(row))
    });
    let found = assert_signal(&tektronix, Some(1000.0), 1);
    assert_eq!((found.len(), codes(&found)), (300, vec![NoticeCode::ColumnsSkipped]));
    let both = lines(300, |row| {
        let block = format!(
            "{},,{:.6},{:.2}",
            notes.get(row).unwrap_or(&","),
            row as f64 / 1000.0,
            sample(row)
        );
        format!("{block},,{block},")
    });
    assert_signal(&both, Some(1000.0), 2);
    let sums = lines(100, |row| {
        let sum = if row == 0 { "max,0.50" } else { "," };
        format!("{row},{:.2},,{sum}", sample(row))
    });
    let found = assert_signal(&format!("n,x,,mean,0.01\n{sums}"), None, 1);
    assert_eq!(found.names, [Some("x".to_owned())]);
    // A sensor that falls silent later, or values that are missing, are no notes.
    let silent = lines(300, |row| if row < 200 { "0.25,0.5" } else { "0.25," }.to_owned());
    assert!(read(&silent).unwrap_err().contains("line 201, column 2: \"\" is not a number"));
}

#[test]
fn advice_to_skip_lines_loses_no_rows() {
    let negative = lines(300, |row| {
        let value = sample(row);
        if value < 0.0 { format!("({:.2})", -value) } else { format!("{value:.2}") }
    });
    let error = read(&format!("x\n0.25\n{negative}")).unwrap_err();
    assert!(error.starts_with("line ") && !error.contains("skip_lines"), "{error}");
}

#[test]
fn what_a_header_states_beside_the_names_is_read() {
    let row = |row: usize| format!("{row},{:.2},", sample(row));
    let rigol =
        format!("X,CH1,Start,Increment,\nSequence,Volt,-1.0e-03,2.5e-05\n{}", lines(90, row));
    assert_eq!(assert_signal(&rigol, Some(40_000.0), 1).names, [Some("CH1".to_owned())]);
    let row = |row: usize| format!("{:.2},", sample(row));
    let without_times = format!("CH1V,t0 =-1.0e-03, tInc = 2.5e-05,\n{}", lines(90, row));
    assert_eq!(assert_signal(&without_times, Some(40_000.0), 1).names, [Some("CH1V".to_owned())]);
    for statement in [
        "% Fs: 40000",
        "// fs = 40 kHz",
        "; Sample Rate 40000",
        "Sample Rate: 40000 Hz.\nSample values on linear scale.\n",
        "Time interval :,25.00us\n\nindex",
    ] {
        let found = assert_signal(&format!("{statement}\n{}", lines(90, row)), Some(40_000.0), 1);
        assert!(found.names != [Some(statement.to_owned())], "{statement}");
    }
    // A time of day names no column, and two numbers none either.
    let yokogawa = format!(
        "SampleRate,5000,5000\nTime,10:12:13.5,10:12:13.5\n\n{}",
        lines(90, |row| { format!("{0:.2},{0:.2},", sample(row)) })
    );
    assert_eq!(assert_signal(&yokogawa, Some(5000.0), 2).names, [None, None]);
    let femto = assert_signal(&format!("12000 2048\n{}", lines(90, row)), None, 1);
    assert_eq!(codes(&femto), [NoticeCode::HeaderAssumed]);
}

/// Text beside the signal was left out, whatever it said.
#[test]
fn times_written_as_text_are_times() {
    let stamp =
        |row: usize| format!("2024-03-12 10:12:{:06.3},{:.2}", row as f64 * 0.02, sample(row));
    assert_signal(&lines(90, stamp), Some(50.0), 1);
    assert_signal(&format!("stamp,x\n{}", lines(90, stamp)), Some(50.0), 1);
    let duration = |row: usize| format!("{:.3} sec,{:.2}", row as f64 / 100.0, sample(row));
    assert_signal(&format!("Time,x\n{}", lines(90, duration)), Some(100.0), 1);
    let colons =
        |row: usize| format!("10:12:{:02}:{:03},{:.2}", row / 100, row % 100 * 10, sample(row));
    assert_signal(&format!("time,x\n{}", lines(300, colons)), Some(100.0), 1);
    let foreign = |row: usize| format!("{:.2},{:.2}", row as f64 / 4.0, sample(row));
    for name in ["时间[ms]", "ŽžŠÔ[ms]"] {
        assert_signal(&format!("{name},x\n{}", lines(90, foreign)), Some(4000.0), 1);
    }
}

/// The second column of times was read as a channel.
#[test]
fn each_channel_has_its_own_clock() {
    let both = |factor: f64| {
        lines(90, |row| {
            let (time, value) = (row as f64 / 1000.0, sample(row));
            format!("{time:.6},{value:.2},{:.6},{value:.2}", time * factor)
        })
    };
    for names in ["Time 1 (s),A,Time 2 (s),B", "X_Value,A,X_Value,B", "Name,A,Symbol,B"] {
        let found = assert_signal(&format!("{names}\n{}", both(1.0)), Some(1000.0), 2);
        assert_eq!(found.names, ["A", "B"].map(|name| Some(name.to_owned())), "{names}");
    }
    let text = format!("Time 1 (s),A,Time 2 (s),B\n{}", both(2.0));
    let error = read(&text).unwrap_err();
    assert!(error.contains("1000.000000 Hz by the column Time 1 (s)"), "{error}");
    for (name, rate) in [("A", 1000.0), ("B", 500.0)] {
        assert_eq!(choose(&text, &[name]).unwrap().sample_rate_hz, Some(rate), "{name}");
    }
    // Temperatures are no times.
    let found = read("T_1,T_2\n20.5,21.5\n20.25,22.5\n").unwrap();
    assert_eq!(found.channels(), 2);
}

/// NI's measurement files had to be cut by hand, and lost their rate with the lines above.
#[test]
fn a_measurement_of_labview_is_read_with_all_its_segments() {
    let head = "LabVIEW Measurement\t\r\nWriter_Version\t2\r\nSeparator\tTab\r\nMulti_Headings\tYes\r\n\
                Time\t10:12:13.1\r\n***End_of_Header***\t\r\n\t\r\n";
    let segment = |first: usize| {
        let rows = lines(150, |row| format!("\t{:.2}\r", sample(first + row)));
        format!(
            "Channels\t1\t\r\nSamples\t150\t\r\nX_Dimension\tTime\t\r\nX0\t0.0E+0\t\r\nDelta_X\t2.5E-5\t\r\n\
             ***End_of_Header***\t\t\r\nX_Value\tAcc_0\tComment\r\n{rows}\r\n"
        )
    };
    let text = format!("{head}{}{}{}", segment(0), segment(150), segment(300));
    let found = assert_signal(&text, Some(40_000.0), 1);
    assert_eq!((found.len(), &found.names[..]), (450, &[Some("Acc_0".to_owned())][..]));
    let of_another = text.replace("\t0.37\r\n", "\t0.37\t0.5\r\n");
    assert!(read(&of_another).unwrap_err().contains("columns"));
}

#[test]
fn a_line_a_channel_is_read_along_the_line_and_told() {
    let line =
        |count: usize| (0..count).map(|row| format!("{:.2}", sample(row))).collect::<Vec<_>>();
    for (text, lines, count) in [
        (line(2048).join(","), 1, 2048),
        (line(40).join("\t"), 1, 40),
        ([line(700).join(" "), line(700).join(" ")].join("\n"), 2, 700),
    ] {
        let found = assert_signal(&text, None, lines);
        assert_eq!((found.len(), codes(&found)), (count, vec![NoticeCode::Transposed]));
    }
    let text = format!("{}\n{}\n", line(700).join(","), line(700).join(","));
    assert_eq!(choose(&text, &["1"]).unwrap().len(), 700);
    let tall = lines(100, |_| line(70).join(","));
    assert_eq!(read(&tall).unwrap().channels(), 70);
    assert_eq!(choose(&tall, &["3"]).unwrap().channels(), 1);
}

#[test]
fn text_below_a_table_is_left_out_and_told() {
    let rows = lines(90, |row| format!("{:.2},{:.2}", sample(row), sample(row)));
    for (text, is_read) in [
        (format!("{rows}EOF\n"), true),
        (format!("{rows}\nend of the measurement\n"), true),
        (format!("{rows}EOF\n{rows}"), false),
        (format!("{rows}oops,x\n"), false),
        (format!("{rows}1.5\n"), false),
    ] {
        let found = read(&text);
        assert_eq!(found.is_ok(), is_read, "{found:?}");
        if let Ok(found) = found {
            assert_eq!(codes(&found), [NoticeCode::LinesSkipped], "{text}");
        }
    }
    // A missing value in the only column is none.
    assert!(read("x\n0.5\n0.25\n0.75\nNA\n").is_err());
    assert_eq!(read("x\n0.5\n0.25\n0.75\nEOF\n").unwrap().len(), 3);
}

/// They were comments.
#[test]
fn what_a_spreadsheet_could_not_compute_is_no_comment() {
    for value in ["#N/A", "#DIV/0!", "#NAME?", "#WERT!", "#NV"] {
        let error = read(&format!("x,y\n0.5,1\n0.25,2\n{value},3\n0.75,2\n")).unwrap_err();
        assert!(error.contains(&format!("line 4, column 1: \"{value}\"")), "{error}");
    }
    for comment in ["#", "# note", "#note!", "#1", "% note", "// note"] {
        assert_eq!(
            read(&format!("x\n0.5\n0.25\n{comment}\n0.75\n")).unwrap().len(),
            3,
            "{comment}"
        );
    }
}

/// All variables became one channel, one after the other.
#[test]
fn several_variables_of_octave_are_refused() {
    let variable = |name: &str| {
        format!(
            "# name: {name}\n# type: matrix\n# rows: 9\n# columns: 1\n{}\n\n",
            lines(9, |row| format!(" {:.2}", sample(row)))
        )
    };
    let head = "# Created by Octave 8.4.0\n";
    assert_signal(&format!("{head}{}", variable("x")), None, 1);
    let error = read(&format!("{head}{}{}", variable("x"), variable("y"))).unwrap_err();
    assert!(error.contains("several variables") && error.contains("save -v7"), "{error}");
}

/// Of an array of times and samples, the first channel was offered (`such as channel=0`), and answered
/// with a class.
#[test]
fn times_in_an_array_are_no_channel() {
    let array = |first: fn(usize) -> f32| {
        let rows = [(0..300).map(first).collect::<Vec<_>>(), (0..300).map(sample).collect()];
        Array2::from_shape_vec((2, 300), rows.concat()).unwrap_or_default()
    };
    let choose = |array: Array2<f32>, channel: &[usize]| {
        let channel = channel.iter().copied().map(ChannelId::Index).collect();
        let selection = Selection { channel, ..Selection::default() };
        Recording::from_array(array, None, &selection).map_err(|error| error.to_string())
    };
    let clocks: [fn(usize) -> f32; 4] = [
        |row| row as f32,
        |row| (row as f64 / 48_000.0) as f32,
        |row| (row as f64 / 51_200.0 - 0.004) as f32,
        |row| 100.0 + row as f32 * 0.02,
    ];
    for clock in clocks {
        for channels in [&[][..], &[0], &[1, 0]] {
            let error = choose(array(clock), channels).map(drop).unwrap_err();
            assert!(error.contains("its channel 0 advances evenly"), "{error}");
            assert!(error.ends_with("such as channel=1"), "{error}");
        }
        assert_eq!(choose(array(clock), &[1]).map(|read| read.len()), Ok(300));
    }
    let signals: [fn(usize) -> f32; 3] =
        [sample, |_| 1.0, |row| row as f32 + if row == 200 { 0.01 } else { 0.0 }];
    for signal in signals {
        assert_eq!(choose(array(signal), &[]).map(|read| read.channels()), Ok(2));
    }
}
