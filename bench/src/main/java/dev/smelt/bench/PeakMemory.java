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
 */
record PeakMemory(long megabytes, double seconds) {

  private static final String PEAK = "VmHWM:";

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
    try {
      while (!process.waitFor(50, TimeUnit.MILLISECONDS)) {
        peak = Math.max(peak, kilobytes(status));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
    if (process.exitValue() != 0) {
      throw new IllegalStateException(command + " ended with " + process.exitValue());
    }
    return new PeakMemory(peak * 1024 / 1_000_000, (System.nanoTime() - start) * 1e-9);
  }

  private static long kilobytes(Path status) {
    try {
      for (String line : Files.readAllLines(status)) {
        if (line.startsWith(PEAK)) {
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
