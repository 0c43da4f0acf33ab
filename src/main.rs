//! The program `drsn-serve`: parses the command line, then runs a subcommand or the server.

use std::{process::ExitCode, time::Duration};

use drsn_serve::{
    commands::Cli,
    config::{self, Config},
    end_without_destructors, return_freed_soon,
    server::{self, Ended, StartError},
    telemetry,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

/// How long the runtime waits at the end for tasks that still run.
const RUNTIME_SHUTDOWN: Duration = Duration::from_millis(100);
/// How long a thread for long computations stays that has nothing to do. What it allocated and others
/// freed returns to the system when it ends (docs/decisions/0016-allocator.md).
const IDLE_THREAD: Duration = Duration::from_millis(200);
/// Signals received within this time count as one.
const SAME_SIGNAL: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    return_freed_soon(false);
    let Cli { command, mut config } = config::parse();
    if let Some(command) = command {
        return command.run(&config);
    }
    config.models.trial_program = server::own_program();
    let code = serve_in_runtime(config);
    telemetry::finish();
    code
}

fn serve_in_runtime(config: Config) -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    match runtime.enable_all().thread_keep_alive(IDLE_THREAD).build() {
        Ok(runtime) => {
            let (code, ended) = runtime.block_on(run(config));
            // Nobody waits for bodies that are still being decoded for expired requests.
            runtime.shutdown_timeout(RUNTIME_SHUTDOWN);
            if ended == Ended::Busy {
                telemetry::finish();
                end_without_destructors(0);
            }
            code
        }
        Err(error) => {
            telemetry::start(config.logging.log_format, None);
            tracing::error!(%error, "cannot start the async runtime");
            ExitCode::FAILURE
        }
    }
}

/// Serves until shutdown, then exports the remaining traces.
async fn run(config: Config) -> (ExitCode, Ended) {
    let traces = telemetry::Traces::from_environment();
    telemetry::start(config.logging.log_format, traces.as_ref().ok().and_then(Option::as_ref));
    let traces = match traces {
        Ok(traces) => traces,
        Err(error) => {
            tracing::error!("{error}");
            return (ExitCode::from(2), Ended::Idle);
        }
    };
    let ended = serve(config).await;
    let end = match ended {
        Ok(ended) => (ExitCode::SUCCESS, ended),
        Err(error) => {
            tracing::error!("{error}");
            (error.exit_code(), Ended::Idle)
        }
    };
    if let Some(traces) = traces {
        // `finish` blocks until the runtime has exported them.
        let _ = tokio::task::spawn_blocking(|| traces.finish()).await;
    }
    end
}

async fn serve(config: Config) -> Result<Ended, StartError> {
    let termination = termination();
    let listeners = server::bind(&config).await?;
    server::run(config, listeners, termination).await
}

/// Listens for SIGTERM and SIGINT from now on. The future is ready at the first one; the second
/// one ends the process immediately.
fn termination() -> impl Future<Output = ()> {
    let (first, received) = oneshot::channel();
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::spawn(async move {
                either(&mut terminate, &mut interrupt).await;
                // The receiver is gone if the server failed to start.
                let _ = first.send(());
                // Some parents signal both a process and its group: that is one signal.
                let same = either(&mut terminate, &mut interrupt);
                if tokio::time::timeout(SAME_SIGNAL, same).await.is_ok() {
                    tracing::debug!("ignored a repeated signal");
                }
                either(&mut terminate, &mut interrupt).await;
                tracing::warn!("received a second signal; exiting immediately");
                telemetry::finish();
                std::process::exit(1);
            });
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "cannot listen for signals; the server must be killed to stop it");
        }
    }
    async {
        // Without signals, shutdown is never requested.
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
