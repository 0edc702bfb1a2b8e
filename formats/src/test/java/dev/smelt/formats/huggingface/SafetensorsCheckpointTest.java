package dev.smelt.formats.huggingface;

import static dev.smelt.formats.testing.CheckpointAssertions.assertHolds;
import static dev.smelt.formats.testing.CheckpointAssertions.assertSameTensors;
import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsCheckpointTest {

  private static final String CONFIG = "{\"model_type\": \"gpt2\"}";

  private final List<TestTensor> tensors = TestTensors.everyType(1, 3, 8);

  @TempDir Path temp;

  @Test
  void readsAFile() {
    Path file = TestCheckpoints.file(temp.resolve("a.safetensors"), tensors);
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.kind()).isEqualTo("safetensors file");
      assertThat(checkpoint.config()).isEmpty();
      assertThat(checkpoint.metadata()).containsOnly(java.util.Map.entry("format", "pt"));
    }
  }

  @Test
  void shardsHoldWhatTheSingleFileHolds() {
    Path single = TestCheckpoints.folder(temp.resolve("single"), CONFIG, tensors);
    Path sharded =
        TestCheckpoints.sharded(
            temp.resolve("sharded"),
            CONFIG,
            List.of(tensors.subList(0, 7), tensors.subList(7, tensors.size())));
    assertSameTensors(sharded, single);
    try (Checkpoint checkpoint = Checkpoint.open(sharded)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.kind()).isEqualTo("Hugging Face folder, 2 shards");
      assertThat(checkpoint.weightFiles()).hasSize(2);
    }
  }
}
