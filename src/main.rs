//! The command `drsn-serve`: parse the command line, start the log, serve; or do what a small command says.

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;
use drsn_serve::{
    commands::Cli,
    config::Config,
    return_freed_soon,
    server::{self, StartError},
    telemetry,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

/// How long tasks may take to notice the end.
const LAST_TASKS: Duration = Duration::from_millis(100);
/// Signals that come within this time count as one.
const SAME_SIGNAL: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    return_freed_soon();
    let Cli { command, config } = Cli::parse();
    if let Some(command) = command {
        return command.run(&config);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(run(config));
            // What is still being decoded for requests whose time is up has nobody to wait for it.
            runtime.shutdown_timeout(LAST_TASKS);
            code
        }
        Err(error) => {
            telemetry::start(config.log_format, None);
            tracing::error!(%error, "cannot start the async runtime");
            ExitCode::FAILURE
        }
    }
}

/// Serves to the end, and sends the last traces then.
async fn run(config: Config) -> ExitCode {
    let traces = telemetry::Traces::from_environment();
    telemetry::start(config.log_format, traces.as_ref().ok().and_then(Option::as_ref));
    let traces = match traces {
        Ok(traces) => traces,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::from(2);
        }
    };
    let ended = serve(config).await;
    let code = match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            error.exit_code()
        }
    };
    if let Some(traces) = traces {
        // It waits, and the runtime sends meanwhile.
        let _ = tokio::task::spawn_blocking(|| traces.finish()).await;
    }
    code
}

async fn serve(config: Config) -> Result<(), StartError> {
    let termination = termination();
    let listeners = server::bind(&config).await?;
    server::run(config, listeners, termination).await
}

/// Ready at the first SIGTERM or SIGINT, from now on. The second one ends the process at once.
fn termination() -> impl Future<Output = ()> {
    let (first, received) = oneshot::channel();
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::spawn(async move {
                either(&mut terminate, &mut interrupt).await;
                // The server may have failed to start, and listens no more.
                let _ = first.send(());
                // Some parents signal a process and its group at once: that is one signal.
                let same = either(&mut terminate, &mut interrupt);
                if tokio::time::timeout(SAME_SIGNAL, same).await.is_ok() {
                    tracing::debug!("ignored a repeated signal");
                }
                either(&mut terminate, &mut interrupt).await;
                tracing::warn!("received a second signal; exiting immediately");
                std::process::exit(1);
            });
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "cannot listen for signals; the server must be killed to stop it");
        }
    }
    async {
        // Where no signal can come, neither does the end.
        if received.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => (),
        _ = other.recv() => (),
    }
}
