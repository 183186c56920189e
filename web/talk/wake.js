// Keeps the screen lit while one talks.

/** Holds the screen until the answer is called. @returns {() => void} */
export function keepAwake() {
  /** @type {WakeLockSentinel | null} */
  let lock = null;
  let wanted = true;
  const take = async () => {
    if (!wanted || !("wakeLock" in navigator) || document.visibilityState !== "visible") return;
    try {
      lock = await navigator.wakeLock.request("screen");
      if (!wanted) await lock.release();
    } catch (error) {
      // Refused on a low battery: the conversation does without.
      if (!(error instanceof DOMException)) throw error;
    }
  };
  const again = () => void take();
  document.addEventListener("visibilitychange", again); // the lock is lost with the view
  void take();
  return () => {
    wanted = false;
    document.removeEventListener("visibilitychange", again);
    void lock?.release();
  };
}
