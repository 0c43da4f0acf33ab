//! The command `drsn-serve`: parse the configuration, start the log, serve.

use std::process::ExitCode;

use clap::Parser as _;
use drsn_serve::{
    config::Config,
    server::{self, StartError},
    telemetry,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

fn main() -> ExitCode {
    let config = Config::parse();
    telemetry::start(config.log_format);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the system gave no threads");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(serve(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            error.exit_code()
        }
    }
}

async fn serve(config: Config) -> Result<(), StartError> {
    let listener = server::bind(&config).await?;
    server::run(config, listener, termination()).await
}

/// Ready at the first SIGTERM or SIGINT. The second one ends the process at once.
async fn termination() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be received, the server has to be killed to end it");
        return std::future::pending().await;
    };
    either(&mut terminate, &mut interrupt).await;
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        tracing::warn!("a second signal, ending at once");
        std::process::exit(1);
    });
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => (),
        _ = other.recv() => (),
    }
}
