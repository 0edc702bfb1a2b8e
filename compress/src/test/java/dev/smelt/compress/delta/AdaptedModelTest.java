package dev.smelt.compress.delta;

import static dev.smelt.formats.testing.TestTensors.bf16;
import static dev.smelt.formats.testing.TestTensors.f32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Adapters as others write them, laid over a base. */
class AdaptedModelTest {

  private static final String P = "base_model.model.";
  private static final double[][] W = Plain.random(5, 4, 1);
  private static final double[][] A = Plain.random(2, 4, 2);
  private static final double[][] B = Plain.random(5, 2, 3);

  @TempDir private Path folder;

  private AdaptedModel open(String config, List<TestTensor> adapter, List<TestTensor> base) {
    return open("{\"model_type\": \"mine\"}", config, adapter, base, Optional.empty());
  }

  private AdaptedModel open(
      String model,
      String config,
      List<TestTensor> adapter,
      List<TestTensor> base,
      Optional<DType> dtype) {
    TestCheckpoints.folder(folder.resolve("base"), model, base);
    TestCheckpoints.write(folder.resolve("adapter/adapter_config.json"), config);
    TestCheckpoints.file(folder.resolve("adapter/adapter_model.safetensors"), adapter);
    return AdaptedModel.open(
        folder.resolve("adapter"),
        folder.resolve("base"),
        dtype,
        new AdaptedModel.Work(TestDevice::get, folder.resolve("out"), Progress.NONE));
  }

  private static List<TestTensor> factors() {
    return List.of(
        Plain.tensor(P + "m.q.lora_A.weight", A), Plain.tensor(P + "m.q.lora_B.weight", B));
  }

  private static void assertClose(double[][] found, double[][] expected) {
    assertThat(Plain.relativeError(expected, found)).isLessThan(1e-6);
  }

  @Test
  void scaledProductsAreAdded() {
    record Scaled(String keys, double scale) {}
    for (Scaled scaled :
        List.of(
            new Scaled("\"r\": 2, \"lora_alpha\": 2", 1),
            new Scaled("\"r\": 2, \"lora_alpha\": 7", 3.5),
            new Scaled("\"r\": 2, \"lora_alpha\": 7, \"use_rslora\": true", 7 / Math.sqrt(2)),
            new Scaled("\"r\": 9, \"rank_pattern\": {\"q\": 2}, \"lora_alpha\": 3", 1.5),
            new Scaled("\"r\": 2, \"alpha_pattern\": {\"m.q\": 10}", 5))) {
      String config = "{\"peft_type\": \"LORA\", " + scaled.keys() + "}";
      try (AdaptedModel model = open(config, factors(), List.of(Plain.tensor("m.q.weight", W)))) {
        assertClose(
            Plain.rows(model.tensor("m.q.weight")),
            Plain.add(W, scaled.scale(), Plain.multiply(B, A)));
      }
    }
  }

  @Test
  void matricesStoredTheOtherWayRoundAreTurned() {
    try (AdaptedModel model =
        open(
            "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 2, \"fan_in_fan_out\": true}",
            factors(),
            List.of(Plain.tensor("m.q.weight", Plain.transpose(W))))) {
      assertClose(
          Plain.rows(model.tensor("m.q.weight")),
          Plain.transpose(Plain.add(W, 1, Plain.multiply(B, A))));
    }
  }

  @Test
  void tablesAndBiasesOfFactors() {
    double[][] table = Plain.random(7, 4, 5);
    double[][] tableA = Plain.random(2, 7, 6);
    double[][] tableB = Plain.random(4, 2, 7);
    try (AdaptedModel model =
        open(
            "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 4, \"lora_bias\": true}",
            List.of(
                Plain.tensor(P + "wte.lora_embedding_A", tableA),
                Plain.tensor(P + "wte.lora_embedding_B", tableB),
                Plain.tensor(P + "m.q.lora_A.weight", A),
                Plain.tensor(P + "m.q.lora_B.weight", B),
                f32(P + "m.q.lora_B.bias", Shape.of(5), 1, 2, 3, 4, 5),
                f32(P + "head.weight", Shape.of(1, 2), 8, 9)),
            List.of(
                Plain.tensor("wte.weight", table),
                Plain.tensor("m.q.weight", W),
                f32("m.q.bias", Shape.of(5), 10, 10, 10, 10, 10)))) {
      assertClose(
          Plain.rows(model.tensor("wte.weight")),
          Plain.add(table, 2, Plain.transpose(Plain.multiply(tableB, tableA))));
      assertThat(model.tensor("m.q.bias").toFloats()).containsExactly(12, 14, 16, 18, 20);
      assertThat(model.tensor("head.weight").toFloats()).containsExactly(8, 9);
      assertThat(model.changes().get("head.weight")).isEqualTo(AdaptedModel.Change.REPLACED);
    }
  }

  @Test
  void storedCopiesOfTiedTensorsFollow() {
    double[][] table = Plain.random(7, 4, 5);
    double[][] a = Plain.random(2, 7, 6);
    double[][] b = Plain.random(4, 2, 7);
    try (AdaptedModel model =
        open(
            "{\"model_type\": \"gpt2\"}",
            "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 2}",
            List.of(
                Plain.tensor(P + "transformer.wte.lora_embedding_A", a),
                Plain.tensor(P + "transformer.wte.lora_embedding_B", b)),
            List.of(
                Plain.tensor("lm_head.weight", table),
                Plain.tensor("transformer.wte.weight", table)),
            Optional.empty())) {
      double[][] expected = Plain.add(table, 1, Plain.transpose(Plain.multiply(b, a)));
      assertClose(Plain.rows(model.tensor("transformer.wte.weight")), expected);
      assertClose(Plain.rows(model.tensor("lm_head.weight")), expected);
      assertThat(model.notes()).anySatisfy(note -> assertThat(note).contains("tied"));
    }
  }

  @Test
  void changedTensorsHaveTheTypeOfTheBaseUnlessAsked() {
    List<TestTensor> base = List.of(bf16("m.q.weight", Shape.of(5, 4), new float[20]));
    String config = "{\"peft_type\": \"LORA\", \"r\": 2, \"lora_alpha\": 2}";
    try (AdaptedModel model = open(config, factors(), base)) {
      assertThat(model.tensor("m.q.weight").dtype()).isEqualTo(DType.BF16);
      assertThat(Plain.rows(model.tensor("m.q.weight"))[0][0])
          .isCloseTo(Plain.multiply(B, A)[0][0], within(0.01));
    }
    try (AdaptedModel model = open("{}", config, factors(), base, Optional.of(DType.F32))) {
      assertThat(model.tensor("m.q.weight").dtype()).isEqualTo(DType.F32);
      assertClose(Plain.rows(model.tensor("m.q.weight")), Plain.multiply(B, A));
    }
  }

  @Test
  void filesBesideTheAdapterTakeThePlaceOfTheBases() throws Exception {
    TestCheckpoints.write(folder.resolve("base/tokenizer.json"), "old");
    TestCheckpoints.write(folder.resolve("base/vocab.txt"), "words");
    TestCheckpoints.write(folder.resolve("adapter/tokenizer.json"), "new");
    TestCheckpoints.write(folder.resolve("adapter/config.json"), "{\"vocab_size\": 9}");
    try (AdaptedModel model =
        open(
            "{\"peft_type\": \"LORA\", \"r\": 2}",
            factors(),
            List.of(Plain.tensor("m.q.weight", W)))) {
      assertThat(model.sideFiles()).hasSize(2);
      assertThat(Files.readString(model.sideFiles().getFirst())).isEqualTo("new");
      assertThat(model.config().orElseThrow().size("vocab_size")).isEqualTo(9);
    }
  }

  @Test
  void valuesThatDoNotFitAreRefused() {
    TestTensor broken = f32(P + "m.q.lora_A.weight", Shape.of(1, 2), 1, Float.POSITIVE_INFINITY);
    TestTensor huge = f32(P + "m.q.lora_A.weight", Shape.of(1, 2), 3e38f, 1);
    TestTensor b = f32(P + "m.q.lora_B.weight", Shape.of(1, 1), 10);
    List<TestTensor> base = List.of(f32("m.q.weight", Shape.of(1, 2), 1, 1));
    String config = "{\"peft_type\": \"LORA\", \"r\": 1, \"lora_alpha\": 1}";
    assertThatThrownBy(() -> open(config, List.of(broken, b), base))
        .isInstanceOf(NonFiniteException.class)
        .hasMessageContaining("lora_A");
    assertThatThrownBy(() -> open(config, List.of(huge, b), base))
        .isInstanceOf(LimitException.class)
        .hasMessageContaining("m.q.weight");
  }
}
