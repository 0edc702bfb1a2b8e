package dev.smelt.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * The largest resident size of the launcher's process, mapped files included, while it estimates
 * diagonal Fisher information of a BERT with 110 million parameters. Linux only: the kernel keeps
 * the figure in /proc.
 */
final class MemoryBench {

  private static final int LENGTH = 512;
  private static final String PEAK = "VmHWM:";

  private MemoryBench() {}

  static void run(Path launcher, PrintStream out) {
    out.println("| BERT 110M, T = 512 | examples | peak resident MB | seconds |");
    out.println("|---|---|---|---|");
    try (TempFolder folder = TempFolder.make()) {
      Path model = folder.path().resolve("bert");
      RandomBert.make(model);
      for (int examples : new int[] {4, 12}) {
        Path data = folder.path().resolve(examples + ".jsonl");
        RandomBert.makeData(data, examples, LENGTH);
        for (List<String> limit : List.of(List.<String>of(), List.of("--memory", "4G"))) {
          Path statistics = folder.path().resolve("f.safetensors");
          measure(
              String.join(" ", limit),
              examples,
              new ProcessBuilder(
                  command(launcher, model, data, statistics, limit).toArray(String[]::new)),
              out);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<String> command(
      Path launcher, Path model, Path data, Path statistics, List<String> limit) {
    List<String> command =
        new ArrayList<>(
            List.of(
                launcher.toString(),
                "fisher",
                model.toString(),
                "--data",
                data.toString(),
                "--quiet",
                "--overwrite",
                "-o",
                statistics.toString()));
    command.addAll(limit);
    return command;
  }

  private static void measure(String limit, int examples, ProcessBuilder command, PrintStream out)
      throws IOException {
    long start = System.nanoTime();
    Process process =
        command
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
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
      throw new IllegalStateException(command.command() + " ended with " + process.exitValue());
    }
    out.printf(
        "| %s | %d | %,d | %.1f |%n",
        limit.isEmpty() ? "defaults" : limit,
        examples,
        peak / 1000,
        (System.nanoTime() - start) * 1e-9);
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
