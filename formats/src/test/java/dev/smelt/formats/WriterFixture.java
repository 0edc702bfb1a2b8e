package dev.smelt.formats;

import dev.smelt.formats.CheckpointWriter.Content;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.safetensors.TensorSlot;
import dev.smelt.formats.testing.TestTensor;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What the tests of writing have in common. */
final class WriterFixture {

  static final ModelConfig CONFIG = ModelConfig.parse("{\"model_type\": \"gpt2\", \"x\": 1.50}");

  private WriterFixture() {}

  static Content content(List<TestTensor> tensors) {
    return content(tensors, List.of());
  }

  static Content content(List<TestTensor> tensors, List<Path> sideFiles) {
    return new Content(
        tensors.stream().map(TestTensor::info).toList(), Map.of(), Optional.of(CONFIG), sideFiles);
  }

  static void fill(CheckpointWriter writer, List<TestTensor> tensors) {
    tensors.forEach(tensor -> fill(writer.slot(tensor.name()), tensor));
  }

  static void fill(TensorSlot slot, TestTensor tensor) {
    slot.copy(new TensorView(tensor.info(), MemorySegment.ofArray(tensor.bytes())));
  }

  static Manifest manifest() {
    return Manifest.of(
        "0.1.0",
        "merge",
        Map.of("method", "fisher"),
        List.of(new Manifest.Input("model", "a/b", 12, "00ff")),
        new Manifest.Totals(100, 60, 50, 30),
        List.of(
            TensorRecord.kept("w", null, 8, 8),
            new TensorRecord(
                "v", TensorRecord.FACTORIZED, "why", 3, 0.25, 0.125, "gram", 0.5, 0.0625, 16, 8)),
        List.of("a note"));
  }
}
