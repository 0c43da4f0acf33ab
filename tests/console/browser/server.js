// A drsn-serve of its own for each test, which can go away and come back on the same port.
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

export const root = path.resolve(import.meta.dirname, "../../..");

const PATIENCE = 60_000;

export class Server {
  /** Starts it with the bundled models and these flags. */
  static async start(...flags) {
    const server = new Server();
    server.folder = mkdtempSync(path.join(tmpdir(), "drsn-console-"));
    server.models = path.join(server.folder, "models");
    cpSync(path.join(root, "models"), server.models, { recursive: true });
    server.forgetVariable();
    server.flags = flags;
    server.address = "127.0.0.1:0";
    await server.come();
    return server;
  }

  /** Makes bearing a model that does not know the variable of its recordings, so that the page has to ask. */
  forgetVariable() {
    const file = path.join(this.models, "bearing", "1", "manifest.json");
    const { input: { source: _, ...input }, ...manifest } = JSON.parse(readFileSync(file, "utf8"));
    writeFileSync(file, JSON.stringify({ ...manifest, input }));
  }

  get url() {
    return `http://${this.address}`;
  }

  /** Starts the process, and waits until it is ready. */
  async come() {
    const fixed = ["--http", this.address, "--grpc", "off", "--models", this.models, "--device", "cpu", "--default-model", "mnist", "--linger-ms", "0", "--log-format", "json"];
    this.child = spawn(process.env.DRSN_SERVE, [...fixed, ...this.flags], { stdio: ["ignore", "ignore", "pipe"] });
    this.ended = new Promise((done) => this.child.once("exit", done));
    const lines = createInterface({ input: this.child.stderr });
    await new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new Error("the server is not ready in time")), PATIENCE);
      const said = [];
      lines.on("line", (line) => {
        said.push(line);
        const { message, addr } = JSON.parse(line);
        if (message === "listening") this.address = addr;
        if (message !== "ready") return;
        clearTimeout(timer);
        done();
      });
      this.child.once("exit", (code) => { clearTimeout(timer); failed(new Error(`the server ended with ${code}: ${said.join("\n")}`)); });
    });
  }

  /** Ends the process. */
  async go() {
    this.child.kill("SIGTERM");
    await this.ended;
  }

  /** Writes a file beside the models, and returns its path. */
  file(name, content) {
    const place = path.join(this.folder, name);
    writeFileSync(place, content);
    return place;
  }

  /** Adds version 2 of a model, a copy of version 1, and has the server look. */
  upgrade(model) {
    const [staged, version] = [path.join(this.folder, "staged"), path.join(this.models, model, "2")];
    cpSync(path.join(this.models, model, "1"), staged, { recursive: true });
    const manifest = path.join(staged, "manifest.json");
    writeFileSync(manifest, readFileSync(manifest, "utf8").replace('"version": "1"', '"version": "2"'));
    renameSync(staged, version);
    this.child.kill("SIGHUP");
  }

  async stop() {
    await this.go();
    rmSync(this.folder, { recursive: true });
  }
}

/** Calls `work` with a server of its own, started with these flags. */
export async function withServer(flags, work) {
  const server = await Server.start(...flags);
  try {
    await work(server);
  } finally {
    await server.stop();
  }
}
