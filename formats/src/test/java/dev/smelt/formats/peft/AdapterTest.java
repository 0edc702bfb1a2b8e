package dev.smelt.formats.peft;

import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.i64;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.SmeltException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTorch;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdapterTest {

  private static final String P = "base_model.model.";
  private static final String RANK_TWO =
      "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 6, \"target_modules\": [\"q\"]}";

  @TempDir private Path folder;

  private static TestTensor a(String module, int in) {
    return f32(P + module + ".lora_A.weight", Shape.of(2, in), new float[2 * in]);
  }

  private static TestTensor b(String module, int out) {
    return f32(P + module + ".lora_B.weight", Shape.of(out, 2), new float[2 * out]);
  }

  private static TestTensor full(String name, int... sizes) {
    Shape of = Shape.of(Arrays.stream(sizes).asLongStream().toArray());
    return f32(name, of, new float[(int) of.elements()]);
  }

  private Path adapter(String config, TestTensor... tensors) {
    TestCheckpoints.write(folder.resolve("adapter/adapter_config.json"), config);
    TestCheckpoints.file(folder.resolve("adapter/adapter_model.safetensors"), List.of(tensors));
    return folder.resolve("adapter");
  }

  private Path base(String config, TestTensor... tensors) {
    return TestCheckpoints.folder(folder.resolve("base"), config, List.of(tensors));
  }

  private static AdapterMatch match(Path base, Path adapter) {
    try (Checkpoint checkpoint = Checkpoint.open(base);
        Adapter opened = Adapter.open(adapter)) {
      return AdapterMatch.of(checkpoint, opened);
    }
  }

  private static void refused(
      Class<? extends SmeltException> type, Runnable work, String... parts) {
    assertThatThrownBy(work::run).isInstanceOf(type).hasMessageContainingAll(parts);
  }

  @Test
  void factorsAndFullTensorsAreSorted() {
    Path path =
        adapter(
            "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 6, \"lora_bias\": true}",
            a("m.q", 3),
            b("m.q", 4),
            full(P + "m.q.lora_B.bias", 4),
            full(P + "m.q.base_layer.bias", 4),
            f32(P + "m.wte.lora_embedding_A", Shape.of(2, 5), new float[10]),
            f32(P + "m.wte.lora_embedding_B", Shape.of(3, 2), new float[6]),
            full(P + "m.ln.weight", 3),
            full(P + "score.modules_to_save.weight", 2, 3),
            full(P + "head.modules_to_save.default.bias", 2));
    try (Adapter adapter = Adapter.open(path)) {
      assertThat(adapter.factors().keySet()).containsExactlyInAnyOrder("m.q", "m.wte");
      AdapterFactors q = requireNonNull(adapter.factors().get("m.q"));
      assertThat(q.scale()).isEqualTo(3);
      assertThat(q.rows()).isEqualTo(4);
      assertThat(q.columns()).isEqualTo(3);
      assertThat(q.table()).isFalse();
      assertThat(requireNonNull(adapter.factors().get("m.wte")).table()).isTrue();
      assertThat(adapter.full().keySet())
          .containsExactlyInAnyOrder("m.q.bias", "m.ln.weight", "score.weight", "head.bias");
      assertThat(adapter.factorBiases().keySet()).containsExactly("m.q");
    }
  }

  @Test
  void pickledWeightsAreRead() {
    TestCheckpoints.write(folder.resolve("adapter/adapter_config.json"), RANK_TWO);
    TestCheckpoints.write(
        folder.resolve("adapter/adapter_model.bin"),
        TestTorch.of(List.of(a("m.q", 3), b("m.q", 4))).zip());
    try (Adapter adapter = Adapter.open(folder.resolve("adapter"))) {
      assertThat(adapter.factors().keySet()).containsExactly("m.q");
    }
  }

  @Test
  void anAdapterIsNoModel() {
    Path path = adapter(RANK_TWO, a("m.q", 3), b("m.q", 4));
    assertThat(Adapter.isFolder(path)).isTrue();
    refused(
        UnsupportedException.class,
        () -> Checkpoint.open(path).close(),
        "an adapter, not a model",
        "--base");
  }

  @Test
  void aFolderWithAWholeModelIsOne() {
    Path path = base("{}", full("m.q.weight", 4, 3));
    TestCheckpoints.write(path.resolve("adapter_config.json"), RANK_TWO);
    assertThat(Adapter.isFolder(path)).isFalse();
  }

  @Test
  void missingAndUnexpectedTensorsAreRefused() {
    refused(
        NotFoundException.class,
        () -> Adapter.open(adapter(RANK_TWO, a("m.q", 3))),
        "factor missing",
        P + "m.q.lora_B.weight");
    refused(
        UnsupportedException.class,
        () -> Adapter.open(adapter(RANK_TWO, full("m.q.weight", 4, 3))),
        "unexpected tensor",
        "m.q.weight",
        P);
    refused(
        UnsupportedException.class,
        () -> Adapter.open(adapter(RANK_TWO, full(P + "m.q.lora_magnitude_vector", 4))),
        "unexpected tensor",
        "lora_magnitude_vector");
    refused(
        UnsupportedException.class,
        () -> Adapter.open(adapter(RANK_TWO, i64(P + "m.ids", Shape.of(1), 3))),
        "I64");
    refused(
        CorruptException.class,
        () ->
            Adapter.open(
                adapter(RANK_TWO, full(P + "m.q.bias", 4), full(P + "m.q.base_layer.bias", 4))),
        "tensor twice",
        "m.q.bias");
    refused(
        CorruptException.class,
        () ->
            Adapter.open(
                adapter(RANK_TWO, a("m.q", 3), b("m.q", 4), full(P + "m.q.lora_B.bias", 4))),
        "bias of factors",
        "lora_bias");
  }

  @Test
  void noWeights() {
    TestCheckpoints.write(folder.resolve("adapter/adapter_config.json"), RANK_TWO);
    refused(
        NotFoundException.class,
        () -> Adapter.open(folder.resolve("adapter")),
        "adapter without weights",
        "adapter_model.safetensors");
  }

  @Test
  void factorsMustHaveTheRankOfTheConfig() {
    refused(
        CorruptException.class,
        () ->
            Adapter.open(
                adapter(RANK_TWO.replace("\"r\": 2", "\"r\": 3"), a("m.q", 3), b("m.q", 4))),
        "factors do not fit their rank",
        "[3,n]",
        "[2,3]",
        "[4,2]");
    refused(
        UnsupportedException.class,
        () ->
            Adapter.open(
                adapter(
                    RANK_TWO,
                    f32(P + "c.lora_A.weight", Shape.of(2, 3, 1, 1), new float[6]),
                    f32(P + "c.lora_B.weight", Shape.of(4, 2, 1, 1), new float[8]))),
        "convolution",
        "c");
  }

  @Test
  void namesMatchWithAndWithoutTheFamilysPrefix() {
    Path base =
        base(
            "{\"model_type\": \"gpt2\"}",
            full("h.0.attn.c_attn.weight", 3, 9),
            full("h.0.attn.c_attn.bias", 9));
    Path adapter =
        adapter(
            "{\"peft_type\": \"LORA\", \"r\": 2}",
            a("transformer.h.0.attn.c_attn", 3),
            b("transformer.h.0.attn.c_attn", 9),
            full(P + "transformer.h.0.attn.c_attn.base_layer.bias", 9));
    AdapterMatch match = match(base, adapter);
    assertThat(match.tensors()).hasSize(2);
    AdaptedTensor weight = match.tensors().getFirst();
    assertThat(weight.name()).isEqualTo("h.0.attn.c_attn.weight");
    assertThat(weight.transposed()).as("Conv1D").isTrue();
    assertThat(weight.factors()).isPresent();
    assertThat(weight.inAdapter()).isFalse();
    assertThat(match.tensors().get(1).inAdapter()).isTrue();
  }

  @Test
  void ofUnknownNetworksTheConfigSaysHowMatricesLie() {
    TestTensor square = full("m.q.weight", 3, 3);
    for (boolean fan : new boolean[] {false, true}) {
      Path base = base("{\"model_type\": \"mine\"}", square);
      Path adapter =
          adapter(
              "{\"peft_type\": \"LORA\", \"r\": 2, \"fan_in_fan_out\": " + fan + "}",
              a("m.q", 3),
              b("m.q", 3));
      assertThat(match(base, adapter).tensors().getFirst().transposed()).isEqualTo(fan);
    }
  }

  @Test
  void anotherBaseIsRefused() {
    Path adapter = adapter(RANK_TWO, a("m.q", 3), b("m.q", 4));
    refused(
        NotFoundException.class, () -> match(base("{}", full("n.q.weight", 4, 3)), adapter), "m.q");
    refused(
        MismatchException.class,
        () -> match(base("{}", full("m.q.weight", 3, 4)), adapter),
        "does not fit its base",
        "[4,3]",
        "[3,4]");
  }

  @Test
  void whatTheConfigPromisesMustBeThere() {
    Path base =
        base("{}", full("m.0.q.weight", 4, 3), full("m.1.q.weight", 4, 3), full("m.ln.weight", 3));
    refused(
        NotFoundException.class,
        () -> match(base, adapter(RANK_TWO, a("m.0.q", 3), b("m.0.q", 4))),
        "m.1.q.weight",
        "target_modules");
    String saving =
        "{\"peft_type\": \"LORA\", \"r\": 2, \"target_modules\": [\"0.q\"],"
            + " \"modules_to_save\": [\"ln\"]}";
    refused(
        NotFoundException.class,
        () -> match(base, adapter(saving, a("m.0.q", 3), b("m.0.q", 4))),
        "m.ln.weight",
        "modules_to_save");
    AdapterMatch fits =
        match(base, adapter(saving, a("m.0.q", 3), b("m.0.q", 4), full(P + "m.ln.weight", 3)));
    assertThat(fits.tensors()).filteredOn(AdaptedTensor::inAdapter).hasSize(1);
  }

  @Test
  void headsOfTiedModelsAreRefused() {
    Path base = base("{\"model_type\": \"gpt2\"}", full("transformer.wte.weight", 4, 3));
    refused(
        NotFoundException.class,
        () ->
            match(
                base,
                adapter("{\"peft_type\": \"LORA\", \"r\": 2}", a("lm_head", 3), b("lm_head", 4))),
        "lm_head",
        "tied");
  }

  @Test
  void tablesAndNewShapesAreToldOf() {
    Path base = base("{\"model_type\": \"gpt2\"}", full("transformer.wte.weight", 4, 3));
    AdapterMatch match =
        match(
            base,
            adapter(
                "{\"peft_type\": \"LORA\", \"r\": 2}",
                full(P + "transformer.wte.base_layer.weight", 5, 3),
                f32(P + "transformer.wte.lora_embedding_A", Shape.of(2, 5), new float[10]),
                f32(P + "transformer.wte.lora_embedding_B", Shape.of(3, 2), new float[6])));
    assertThat(match.tensors()).hasSize(1);
    assertThat(match.tensors().getFirst().info().shape()).isEqualTo(Shape.of(5, 3));
    assertThat(match.notes())
        .anySatisfy(note -> assertThat(note).contains("[5,3]", "[4,3]"))
        .anySatisfy(note -> assertThat(note).contains("tied"));
  }
}
