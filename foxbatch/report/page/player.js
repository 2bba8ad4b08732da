// One clock for all films and sounds in sight: they play, pause, are wound and start
// again in step.
//
// The clock runs from 0 to the length of the longest one; a shorter one waits at its
// end. Films are never trusted to keep time by themselves: each frame, one that has
// drifted is hurried or slowed a little, and one that is far off is wound.

const NEAR_S = 0.03; // less is not seen
const FAR_S = 0.3; // more cannot be made up for by speed
const CORRECTION = 2; // so much faster or slower for each second that one is off
const MOST_CORRECTION = 0.25; // more is heard
const END_S = 0.04; // before its end a film still shows a picture, behind it perhaps none
const TELL_MS = 100; // between two looks at the clock for those who show it

export const RATES = [0.25, 0.5, 1, 1.5, 2];

class Player {
  playing = false;
  looping = true;
  rate = 1;
  muted = true;
  #films = new Map(); // element: its length in seconds
  #heard = null; // the one that sounds: several at once are a noise
  #stage = null; // the part of the page to which playing is limited
  #at = 0;
  #since = 0; // when `#at` was right, by the clock of frames
  #frame = 0;
  #told = 0;
  #listeners = new Set();

  get length() {
    return Math.max(0, ...this.#films.values());
  }

  get time() {
    const gone = this.playing ? ((performance.now() - this.#since) / 1000) * this.rate : 0;
    const length = this.length, time = this.#at + gone;
    if (length === 0) return 0;
    return this.looping ? time % length : Math.min(time, length);
  }

  get films() {
    return this.#films.size;
  }

  get heard() {
    return this.muted ? null : this.#heard;
  }

  // Tell *listener* about changes until what is returned is called.
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // Play only what is in *part* of the page, until what is returned is called.
  limitTo(part) {
    const before = { stage: this.#stage, playing: this.playing };
    this.#stage = part;
    this.#tell();
    return () => {
      this.#stage = before.stage;
      if (!before.playing) {
        this.pause();
        this.wind(0);
      }
      this.#tell();
    };
  }

  admits(element) {
    return this.#stage === null || this.#stage.contains(element);
  }

  // Let *film* follow the clock until what is returned is called.
  join(film, seconds) {
    const time = this.time;
    const itsLength = () => (Number.isFinite(film.duration) ? film.duration : seconds);
    this.#films.set(film, itsLength());
    film.loop = false; // the clock starts it again, with the others
    film.muted = true;
    this.#goOnFrom(time);
    this.#heard ??= film;
    const measured = () => {
      const now = this.time;
      this.#films.set(film, itsLength());
      this.#goOnFrom(now);
      this.#tell();
    };
    // Wound again before it had arrived: it goes on to where it should be now.
    const arrived = () => { if (!this.playing) this.#steer(film, itsLength(), this.time); };
    film.addEventListener("durationchange", measured);
    film.addEventListener("seeked", arrived);
    this.#steer(film, itsLength(), this.time);
    this.#tell();
    return () => {
      const now = this.time;
      film.removeEventListener("durationchange", measured);
      film.removeEventListener("seeked", arrived);
      this.#films.delete(film);
      film.pause();
      film.muted = true;
      film.loop = true;
      film.playbackRate = 1;
      if (this.#heard === film) this.#heard = this.#films.keys().next().value ?? null;
      this.#goOnFrom(now);
      this.#tell();
    };
  }

  play() {
    if (this.playing) return;
    const ended = !this.looping && this.length > 0 && this.time >= this.length;
    this.#goOnFrom(ended ? 0 : this.time);
    this.playing = true;
    this.#run();
    this.#tell();
  }

  pause() {
    if (!this.playing) return;
    this.#goOnFrom(this.time);
    this.playing = false;
    cancelAnimationFrame(this.#frame);
    this.#steerAll();
    this.#tell();
  }

  toggle() {
    if (this.playing) this.pause(); else this.play();
  }

  wind(seconds) {
    this.#goOnFrom(Math.min(Math.max(0, seconds), Math.max(0, this.length - 0.001)));
    this.#steerAll(true);
    this.#tell();
  }

  // One picture back or on, all of them standing.
  step(seconds) {
    this.pause();
    this.wind(this.time + seconds);
  }

  setRate(rate) {
    this.#goOnFrom(this.time);
    this.rate = rate;
    this.#steerAll();
    this.#tell();
  }

  setLooping(looping) {
    this.#goOnFrom(this.time);
    this.looping = looping;
    this.#tell();
  }

  setMuted(muted) {
    this.muted = muted;
    this.#steerAll();
    this.#tell();
  }

  // Let *film* be the one that sounds.
  hear(film) {
    if (!this.#films.has(film) || this.#heard === film) return;
    this.#heard = film;
    this.#steerAll();
    this.#tell();
  }

  // Whether *film* is to sound, also one that plays alone.
  sounds(film) {
    return !this.muted && (this.#heard === film || !this.#films.has(film));
  }

  #goOnFrom(time) {
    const length = this.length;
    this.#at = length === 0 ? 0 : this.looping ? time % length : Math.min(time, length);
    this.#since = performance.now();
  }

  #run() {
    this.#frame = requestAnimationFrame(() => {
      this.#steerAll();
      if (performance.now() - this.#told > TELL_MS) this.#tell();
      if (!this.looping && this.length > 0 && this.time >= this.length) this.pause(); else this.#run();
    });
  }

  #steerAll(exactly = false) {
    const time = this.time;
    for (const [film, seconds] of this.#films) this.#steer(film, seconds, time, exactly);
  }

  #steer(film, seconds, time, exactly = false) {
    const muted = !this.sounds(film);
    if (film.muted !== muted) film.muted = muted;
    const target = Math.min(time, Math.max(0, seconds - END_S));
    const off = film.currentTime - target;
    const waits = target < time;
    if (!this.playing || waits) {
      if (!film.paused) film.pause();
      if (Math.abs(off) > 0.02 && !film.seeking) film.currentTime = target;
      return;
    }
    if ((exactly || Math.abs(off) > FAR_S) && !film.seeking) film.currentTime = target;
    const push = Math.abs(off) < NEAR_S ? 0 : Math.min(MOST_CORRECTION, Math.max(-MOST_CORRECTION, -off * CORRECTION));
    // In few steps: a browser takes its time for each change.
    const rate = this.rate * (1 + Math.round(push * 20) / 20);
    if (film.playbackRate !== rate) film.playbackRate = rate;
    // A browser may refuse to start a film with sound; it is asked again next frame.
    if (film.paused) film.play().catch(() => {});
  }

  #tell() {
    this.#told = performance.now();
    for (const listener of [...this.#listeners]) listener();
  }
}

export const player = new Player();
