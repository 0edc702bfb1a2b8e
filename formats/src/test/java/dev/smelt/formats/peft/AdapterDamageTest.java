package dev.smelt.formats.peft;

import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.SmeltException;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.Manifest;
import dev.smelt.formats.testing.CheckpointAssertions;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A written adapter, whole and damaged on its way. */
class AdapterDamageTest {

  private static final long SEED = 20_260_301;
  private static final int FLIPS = 3_000;

  private static final List<TestTensor> TENSORS =
      List.of(
          random("base_model.model.m.q.lora_A.weight", DType.F32, 1, 2, 5),
          random("base_model.model.m.q.lora_B.weight", DType.F32, 2, 4, 2),
          f32("base_model.model.m.ln.weight", Shape.of(3), 1, 2, 3));

  @TempDir private Path folder;
  private Path adapter = Path.of("");

  @BeforeEach
  void write() {
    adapter = folder.resolve("adapter");
    write(false);
  }

  private void write(boolean overwrite) {
    SequencedMap<String, Integer> ranks = new LinkedHashMap<>();
    ranks.put("m.q", 2);
    Path source = TestCheckpoints.file(folder.resolve("source.safetensors"), TENSORS);
    List<TensorInfo> infos = TENSORS.stream().map(TestTensor::info).toList();
    AdapterWriter.Content content =
        new AdapterWriter.Content(
            AdapterConfig.unscaled(
                ranks, false, false, List.of("m.ln"), false, Optional.empty(), "base"),
            infos,
            Optional.empty(),
            List.of());
    try (Checkpoint tensors = Checkpoint.open(source);
        AdapterWriter writer = AdapterWriter.create(adapter, overwrite, content)) {
      for (TensorView view : tensors.tensors()) {
        writer.slot(view.name()).transfer(view);
      }
      Manifest manifest =
          writer.commit(
              Manifest.of(
                  "test",
                  "delta",
                  Map.of(),
                  List.of(),
                  new Manifest.Totals(0, 0, 0, 0),
                  List.of(),
                  List.of()));
      assertThat(manifest.files())
          .extracting(Manifest.WrittenFile::name)
          .containsExactly("adapter_model.safetensors", "adapter_config.json");
    }
  }

  @Test
  void whatIsWrittenIsRead() {
    CheckpointAssertions.assertEntries(
        adapter, "adapter_config.json", "adapter_model.safetensors", "smelt.json");
    try (Adapter opened = Adapter.open(adapter)) {
      CheckpointAssertions.assertHolds(opened.weights(), TENSORS);
      assertThat(opened.factors().keySet()).containsExactly("m.q");
      assertThat(opened.full().keySet()).containsExactly("m.ln.weight");
      assertThat(opened.weights().metadata()).containsEntry("format", "pt");
    }
    write(true);
    CheckpointAssertions.assertNoLeftovers(folder);
  }

  @Test
  void onlyAdaptersAreReplaced() throws IOException {
    assertThatThrownBy(() -> write(false))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("output exists");
    Files.delete(adapter.resolve("adapter_config.json"));
    assertThatThrownBy(() -> write(true))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("no adapter");
  }

  @Test
  void truncatedAndExtendedFilesAreRefused() throws IOException {
    for (String name : List.of("adapter_model.safetensors", "adapter_config.json")) {
      byte[] whole = Files.readAllBytes(adapter.resolve(name));
      int last = name.endsWith("json") ? whole.length - 2 : whole.length - 1;
      for (int length = 0; length <= last; length++) {
        refuses(name, Arrays.copyOf(whole, length));
      }
      for (int extra = 1; extra <= 32; extra++) {
        refuses(name, Arrays.copyOf(whole, whole.length + extra));
      }
      Files.write(adapter.resolve(name), whole);
    }
  }

  private void refuses(String name, byte[] bytes) throws IOException {
    Files.write(adapter.resolve(name), bytes);
    assertThatThrownBy(() -> Adapter.open(adapter).close())
        .as("%s of %d bytes", name, bytes.length)
        .isInstanceOf(SmeltException.class);
  }

  @Test
  void flippedBitsGiveARefusalOrAValidAdapter() throws IOException {
    SplittableRandom random = new SplittableRandom(SEED);
    int refused = 0;
    for (String name : List.of("adapter_model.safetensors", "adapter_config.json")) {
      byte[] whole = Files.readAllBytes(adapter.resolve(name));
      int end = Math.min(whole.length, 400);
      for (int i = 0; i < FLIPS / 2; i++) {
        byte[] damaged = whole.clone();
        damaged[random.nextInt(end)] ^= (byte) (1 << random.nextInt(Byte.SIZE));
        Files.write(adapter.resolve(name), damaged);
        try (Adapter opened = Adapter.open(adapter)) {
          assertThat(opened.factors().size() + opened.full().size()).isLessThanOrEqualTo(3);
        } catch (SmeltException expected) {
          assertThat(expected).as("seed %d, damage %d", SEED, i).hasMessageContaining("[");
          refused++;
        }
      }
      Files.write(adapter.resolve(name), whole);
    }
    assertThat(refused).isBetween(FLIPS / 3, FLIPS - 1);
  }
}
