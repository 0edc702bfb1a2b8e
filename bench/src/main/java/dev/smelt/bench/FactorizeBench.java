package dev.smelt.bench;

import dev.smelt.formats.DType;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.DeviceChoice;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * Decompositions beside full SVDs and beside the products that no decomposition does without; a
 * network and its factors.
 */
final class FactorizeBench {

  private static final int EXAMPLES = 16;
  private static final int LENGTH = 256;

  private FactorizeBench() {}

  static void run(PrintStream out) {
    int threads = Runtime.getRuntime().availableProcessors();
    try (TempFolder folder = TempFolder.make()) {
      try (ComputeDevice device = ComputeDevice.open(DeviceChoice.CPU, threads)) {
        out.printf("%s%n%n", device.description());
        DecompositionTable table = new DecompositionTable(device, out);
        table.header();
        for (Spectrum spectrum : Spectrum.values()) {
          table.measure(spectrum, 24, 768, 3072);
          table.measure(spectrum, 1, 4096, 4096);
        }
      }
      out.println();
      factors(folder.path(), out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Speed of a network as it is and as factors of half its size. */
  private static void factors(Path folder, PrintStream out) {
    Path model = folder.resolve("wide");
    Path data = folder.resolve("data.safetensors");
    new RandomLlama(2048, 5504, 3, DType.F32).make(model);
    RandomLlama.makeData(data, EXAMPLES, LENGTH);
    out.println("| Llama, width 2048, 3 layers, T = 256 | tokens/s |");
    out.println("|---|---|");
    out.printf("| dense | %.0f |%n", tokensPerSecond(model, data));
    for (String keep : List.of("0.5", "0.25")) {
      Path small = folder.resolve("small-" + keep);
      Command.smelt("factorize", model, "-o", small, "--keep", keep);
      out.printf("| factors, keep %s | %.0f |%n", keep, tokensPerSecond(small, data));
    }
  }

  private static double tokensPerSecond(Path model, Path data) {
    JsonNode result = Command.smelt("eval", model, "--data", data);
    return result.path("tokens").asDouble() / result.path("seconds").asDouble();
  }
}
