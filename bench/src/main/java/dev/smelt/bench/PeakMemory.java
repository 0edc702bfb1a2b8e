package dev.smelt.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A process that has ended well, and what it took. Linux only: the kernel keeps the largest
 * resident size, mapped files included, in /proc.
 *
 * @param megabytes 10⁶ bytes
 * @param ownMegabytes without mapped files, which the system can take back at any time; the largest
 *     of samples
 */
record PeakMemory(long megabytes, long ownMegabytes, double seconds) {

  private static final String PEAK = "VmHWM:";
  private static final String OWN = "RssAnon:";

  static PeakMemory of(List<String> command, List<String> javaOptions) throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.INHERIT);
    builder.environment().put("JAVA_OPTS", String.join(" ", javaOptions));
    long start = System.nanoTime();
    Process process = builder.start();
    Path status = Path.of("/proc", String.valueOf(process.pid()), "status");
    long peak = 0;
    long own = 0;
    try {
      while (!process.waitFor(50, TimeUnit.MILLISECONDS)) {
        peak = Math.max(peak, kilobytes(status, PEAK));
        own = Math.max(own, kilobytes(status, OWN));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
    if (process.exitValue() != 0) {
      throw new IllegalStateException(command + " ended with " + process.exitValue());
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    return new PeakMemory(peak * 1024 / 1_000_000, own * 1024 / 1_000_000, seconds);
  }

  private static long kilobytes(Path status, String what) {
    try {
      for (String line : Files.readAllLines(status)) {
        if (line.startsWith(what)) {
          return Long.parseLong(line.replaceAll("\\D", ""));
        }
      }
      return 0;
    } catch (IOException e) {
      // The process has just ended.
      return 0;
    }
  }
}
