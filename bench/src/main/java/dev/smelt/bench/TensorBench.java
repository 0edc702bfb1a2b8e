package dev.smelt.bench;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.Json;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.Hashing;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.databind.JsonNode;

/**
 * Holds the readers against PyTorch's own: name, type, shape and SHA-256 of every tensor of real
 * files, as {@code real-tensors.json} lists them (file → tensor → dtype, shape, sha256).
 */
final class TensorBench {

  private final Path files;
  private final Path reference;
  private final PrintStream out;

  TensorBench(Path files, Path reference, PrintStream out) {
    this.files = files;
    this.reference = reference;
    this.out = out;
  }

  void run() {
    out.println("| file | read as | tensors | as PyTorch reads them | others |");
    out.println("|---|---|---|---|---|");
    Path list = reference.resolve("real-tensors.json");
    JsonNode expected;
    try {
      expected = Json.parse(Files.readAllBytes(list), list.toString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    expected.forEachEntry(this::compare);
  }

  private void compare(String file, JsonNode expected) {
    try (Checkpoint checkpoint = Checkpoint.open(files.resolve(file))) {
      List<TensorView> tensors = checkpoint.tensors();
      long same = tensors.stream().filter(t -> isSame(t, expected.path(t.name()))).count();
      long missing =
          expected.propertyNames().stream().filter(n -> checkpoint.find(n).isEmpty()).count();
      out.printf(
          "| %s | %s | %d | %d | %d |%n",
          file, checkpoint.kind(), expected.size(), same, tensors.size() - same + missing);
    }
  }

  private static boolean isSame(TensorView tensor, JsonNode expected) {
    TensorInfo info = tensor.info();
    List<Long> shape = info.shape().sizes().boxed().toList();
    return expected.path("dtype").asString("").equals(info.dtype().torchName())
        && expected.path("shape").valueStream().map(JsonNode::asLong).toList().equals(shape)
        && expected.path("sha256").asString("").equals(Hashing.sha256(tensor.segment()));
  }
}
