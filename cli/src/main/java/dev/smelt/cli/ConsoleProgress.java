package dev.smelt.cli;

import dev.smelt.formats.Progress;
import java.io.PrintStream;
import java.time.Duration;

/** A line that is rewritten on a terminal, a line now and then elsewhere. */
final class ConsoleProgress implements Progress {

  private static final long TERMINAL_INTERVAL = Duration.ofMillis(200).toNanos();

  /** Logs are kept and read: say little, and nothing of what is over soon. */
  private static final long LOG_INTERVAL = Duration.ofSeconds(15).toNanos();

  private static final int BAR = 24;
  private static final String ERASE = "\r\033[K";

  private final PrintStream err;
  private final boolean terminal;

  ConsoleProgress(PrintStream err, boolean terminal) {
    this.err = err;
    this.terminal = terminal;
  }

  @Override
  public Task begin(String what, long total, String unit) {
    return new Line(what, total, unit);
  }

  private final class Line implements Task {
    private final String what;
    private final long total;
    private final String unit;
    private final long started = System.nanoTime();
    private long shown = started;
    private long done;

    Line(String what, long total, String unit) {
      this.what = what;
      this.total = total;
      this.unit = unit;
    }

    @Override
    public synchronized void advance(long amount) {
      done += amount;
      long now = System.nanoTime();
      if (now - shown < (terminal ? TERMINAL_INTERVAL : LOG_INTERVAL)) {
        return;
      }
      shown = now;
      if (terminal) {
        err.print(ERASE + bar() + text(now));
        err.flush();
      } else {
        err.println(text(now));
      }
    }

    @Override
    public synchronized void close() {
      if (terminal && shown != started) {
        err.print(ERASE);
        err.flush();
      }
    }

    private String bar() {
      int filled = total == 0 ? BAR : (int) (BAR * Math.min(done, total) / total);
      return "[" + "#".repeat(filled) + " ".repeat(BAR - filled) + "] ";
    }

    private String text(long now) {
      double seconds = (now - started) / 1e9;
      double rate = done / seconds;
      long left = rate > 0 ? Math.round((total - done) / rate) : 0;
      return String.format(
          "%s: %,d of %,d %s, %,.0f/s, %d:%02d left",
          what, done, total, unit, rate, left / 60, left % 60);
    }
  }
}
