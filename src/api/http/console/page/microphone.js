/** Records from the microphone, without the gain control and noise suppression that browsers add. */

const PLAIN = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };

export class Microphone {
  /** Begins to record; `heard` is called with the samples so far and the loudest of the last block. */
  async start(heard) {
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: PLAIN });
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule(new URL("recorder-worklet.js", import.meta.url));
    const node = new AudioWorkletNode(this.context, "recorder", { numberOfOutputs: 0 });
    this.blocks = [];
    this.count = 0;
    node.port.onmessage = ({ data }) => {
      if (this.isOver) return;
      this.blocks.push(data);
      this.count += data.length;
      heard(this.count / this.context.sampleRate, data.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0));
    };
    this.context.createMediaStreamSource(this.stream).connect(node);
  }

  /** Ends the recording: `{samples, rate}`. */
  async stop() {
    this.isOver = true;
    const rate = this.context.sampleRate, samples = new Float32Array(this.count);
    let at = 0;
    for (const block of this.blocks) { samples.set(block, at); at += block.length; }
    this.stream.getTracks().forEach((track) => track.stop());
    await this.context.close();
    return { samples, rate };
  }
}
