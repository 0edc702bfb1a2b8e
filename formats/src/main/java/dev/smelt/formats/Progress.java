package dev.smelt.formats;

/** Told of work as it goes; what is shown of it is the command line's affair. */
public interface Progress {

  /** Hears nothing. */
  Progress NONE =
      (what, total, unit) ->
          new Task() {
            @Override
            public void advance(long amount) {}

            @Override
            public void close() {}
          };

  /**
   * Begins a task.
   *
   * @param what for a person: "Fisher information"
   * @param total the amount at which it is done, in {@code unit}
   * @param unit "examples", "tensors", "bytes"
   */
  Task begin(String what, long total, String unit);

  /** A task under way; closing it ends it, finished or not. Safe for use by several threads. */
  interface Task extends AutoCloseable {
    void advance(long amount);

    @Override
    void close();
  }
}
