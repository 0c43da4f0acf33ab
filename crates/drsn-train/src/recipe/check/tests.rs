//! Invalid recipes and the fields that their errors name.

use crate::recipe::{NoiseKind, TrainingNoise, preset};

#[test]
fn hostile_recipes_are_refused_by_the_field() {
    for (preset_name, setting, field) in [
        ("mnist", "epochs=0", "epochs"),
        ("mnist", "batch=1", "batch"),
        ("mnist", "shards=100", "shards"),
        ("mnist", "data.held_out=0", "data.held_out"),
        // Its classes have weights already.
        ("bearing", "sampling=balanced", "class_weights and sampling are both"),
        ("mnist", "start.freeze=100", "start.freeze"),
        ("mnist", "early_stopping={patience=0,metric='loss'}", "early_stopping.patience"),
        ("mnist", "network.stem={channels=5000,kernel=3,stride=1}", "network.stem.channels"),
        ("mnist", "network.stages=[]", "network.stages"),
        ("mnist", "network.stages=[{channels=16,blocks=1001,stride=1}]", "blocks"),
        (
            "mnist",
            "network.stages=[{channels=8,blocks=1,stride=1}]",
            "network.stages[0].channels must be at least 16",
        ),
        ("mnist", "network.norm_momentum=1.0", "network.norm_momentum"),
        ("mnist", "network.norm_epsilon=1e-300", "network.norm_epsilon"),
        ("mnist", "optimizer.learning_rate=0", "optimizer.learning_rate"),
        ("mnist", "optimizer.weight_decay=1e300", "optimizer.weight_decay"),
        ("mnist", "schedule.warm_up=1.5", "schedule.warm_up"),
        ("mnist", "noise.amplitude=[0.5,0.1]", "noise"),
        ("mnist", "augmentation.gain_db=3", "for signals"),
        ("bearing", "augmentation.flip=true", "for images"),
        ("bearing", "data.hop=0", "data.hop"),
        // Regression: a model trained with these could not be exported.
        ("bearing", "data.normalization.epsilon=nan", "data.normalization.epsilon"),
        ("bearing", "data.normalization.epsilon=0", "data.normalization.epsilon"),
        ("bearing", "data.split.training=0.97", "at most 1 together"),
        ("bearing", "data.split.held_out=-1", "data.split.held_out"),
    ] {
        let refusal = preset(preset_name)
            .and_then(|recipe| recipe.set(&[setting]))
            .and_then(|recipe| recipe.check())
            .map_err(|e| e.to_string());
        assert!(refusal.clone().is_err_and(|r| r.contains(field)), "{setting}: {refusal:?}");
    }
}

#[test]
fn windows_that_were_cut_beforehand_are_checked_by_the_field() {
    let data = |more: &str| {
        format!(
            "data={{kind=\"windows\", window=187, normalization={{kind=\"none\"}}, \
             split={{by=\"random\", held_out=0.1, test=0.2}}{more}}}"
        )
    };
    let check = |settings: &[&str]| {
        preset("paper-1d")?.set(settings)?.check().map_err(|error| error.to_string())?;
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    assert!(check(&[&data("")]).is_ok());
    assert!(check(&[&data(", channels=2, axes=\"1nlc\", classes=[\"a\", \"b\"]")]).is_ok());
    for (setting, field) in [
        ("data.window=0", "data.window"),
        ("data.channels=2000", "data.channels"),
        ("data.axes=\"nc\"", "data.axes must have the letters n (inputs) and l (samples)"),
        ("data.axes=\"nll\"", "got \"nll\""),
        ("data.classes=[\"a\", \"a\"]", "data.classes names the class \"a\" twice"),
        ("data.sample_rate_hz=0", "data.sample_rate_hz"),
        ("data.normalization={kind=\"z-score\", epsilon=0}", "data.normalization.epsilon"),
        ("data.split={by=\"time\", training=0.6, held_out=0.1}", "cannot be split in time"),
        ("data.split.held_out=0", "data.split.held_out"),
        ("data.hop=5", "unknown field `hop`"),
        ("augmentation.shift=5", "augmentation.shift moves a window within its recording"),
        ("augmentation.flip=true", "for images"),
        ("augmentation.splice=1.5", "augmentation.splice must be between 0 and 1, got 1.5"),
        ("augmentation.splice=nan", "augmentation.splice must be between 0 and 1, got NaN"),
        ("position_loss=-1", "position_loss must be at least 0, got -1"),
    ] {
        let refusal = check(&[&data(""), setting]).unwrap_err().to_string();
        assert!(refusal.contains(field), "{setting}: {refusal}");
    }
}

fn noise(amplitude: Option<[f64; 2]>, snr_db: Option<[f64; 2]>, clean: f64) -> TrainingNoise {
    TrainingNoise { kind: NoiseKind::Pink, amplitude, snr_db, clean, drawn_once: false }
}

#[test]
fn ranges_that_cannot_be_are_refused_by_their_name() {
    let refused = [
        (noise(None, None, 0.0), "strength of the pink noise"),
        (noise(Some([0.0, 1.0]), Some([0.0, 1.0]), 0.0), "both"),
        (noise(Some([-1.0, 1.0]), None, 0.0), "not be negative"),
        (noise(Some([2.0, 1.0]), None, 0.0), "lower one first"),
        (noise(None, Some([0.0, f64::NAN]), 0.0), "finite"),
        (noise(None, Some([-5.0, f64::INFINITY]), 0.0), "finite"),
        (noise(None, Some([-5.0, 5.0]), 1.5), "between 0 and 1, got 1.5"),
        (noise(None, Some([-5.0, 5.0]), f64::NAN), "between 0 and 1, got NaN"),
    ];
    for (noise, word) in refused {
        let reason = noise.check().unwrap_err();
        assert!(reason.contains(word), "{reason}");
    }
    assert_eq!(noise(None, Some([-5.0, 5.0]), 0.2).check(), Ok(()));
    assert_eq!(noise(Some([1.0, 1.0]), None, 1.0).check(), Ok(()));
}
