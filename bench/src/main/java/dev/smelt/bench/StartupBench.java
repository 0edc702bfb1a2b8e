package dev.smelt.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Whole runs of the launcher, from outside: what a shell loop over a model zoo pays. */
final class StartupBench {

  private static final int RUNS = 15;
  private static final long BIG = 10_000_000_000L;
  private static final int SHARDS = 4;

  private final Path launcher;
  private final Path testdata;
  private final PrintStream out;

  StartupBench(Path launcher, Path testdata, PrintStream out) {
    this.launcher = launcher;
    this.testdata = testdata;
    this.out = out;
  }

  void run() {
    out.println("| command | min s | median s | max s | target s |");
    out.println("|---|---|---|---|---|");
    measure("smelt --version", "0.4", List.of("--version"));
    measure("smelt --help", "", List.of("--help"));
    measure(
        "smelt inspect, 3.8 MB", "", List.of("inspect", testdata.resolve("gpt2-drama").toString()));
    try (TempFolder folder = TempFolder.make()) {
      SparseCheckpoint.make(folder.path(), BIG, SHARDS);
      measure(
          "smelt inspect, 10 GB in 4 shards", "0.6", List.of("inspect", folder.path().toString()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void measure(String what, String target, List<String> arguments) {
    double[] seconds = new double[RUNS];
    time(arguments);
    for (int i = 0; i < RUNS; i++) {
      seconds[i] = time(arguments);
    }
    Arrays.sort(seconds);
    out.printf(
        "| `%s` | %.3f | %.3f | %.3f | %s |%n",
        what, seconds[0], seconds[RUNS / 2], seconds[RUNS - 1], target);
  }

  private double time(List<String> arguments) {
    List<String> command = new ArrayList<>();
    command.add(launcher.toString());
    command.addAll(arguments);
    try {
      long start = System.nanoTime();
      Process process =
          new ProcessBuilder(command)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      int code = process.waitFor();
      double seconds = (System.nanoTime() - start) / 1e9;
      if (code != 0) {
        throw new IllegalStateException(command + " ended with " + code);
      }
      return seconds;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
