package dev.smelt.compress.modeling;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.compress.factorize.UniformKeep;
import dev.smelt.compress.testing.Factorization;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.testing.CheckpointAssertions;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelingCodeTest {

  @TempDir private Path folder;

  private static ModelConfig config(String architecture, String autoMap) {
    return ModelConfig.parse(
        "{\"architectures\": [\"" + architecture + "\"], \"n\": 1" + autoMap + "}");
  }

  @ParameterizedTest
  @CsvSource({
    "GPT2LMHeadModel, AutoModelForCausalLM",
    "GPT2ForSequenceClassification, AutoModelForSequenceClassification",
    "LlamaForCausalLM, AutoModelForCausalLM",
    "MistralForSequenceClassification, AutoModelForSequenceClassification",
    "Qwen2ForCausalLM, AutoModelForCausalLM",
    "Qwen3ForCausalLM, AutoModelForCausalLM",
    "Phi3ForCausalLM, AutoModelForCausalLM",
    "GemmaForCausalLM, AutoModelForCausalLM",
    "Gemma2ForCausalLM, AutoModelForCausalLM",
    "GPTNeoXForCausalLM, AutoModelForCausalLM",
    "BertForMaskedLM, AutoModelForMaskedLM",
    "RobertaForSequenceClassification, AutoModelForSequenceClassification",
    "DistilBertForMaskedLM, AutoModelForMaskedLM"
  })
  void leadsFromTheAutomaticClassToOneOfItsOwn(String architecture, String auto) {
    ModelConfig dense = config(architecture, "");
    ModelConfig described = ModelingCode.describe(dense);
    assertThat(described.get("auto_map").size()).isEqualTo(1);
    assertThat(described.get("auto_map").path(auto).asString())
        .isEqualTo("modeling_smelt.Smelt" + architecture);
    assertThat(ModelingCode.files(described)).containsOnlyKeys("modeling_smelt.py");
    assertThat(ModelingCode.files(described).get("modeling_smelt.py"))
        .contains(
            "from transformers import " + architecture + "\n",
            "class Smelt" + architecture + "(" + architecture + "):")
        .doesNotContain("BaseModel");
    assertThat(ModelingCode.note(dense)).isEmpty();
    assertThat(ModelingCode.undescribe(described)).isEqualTo(dense);
    assertThat(ModelingCode.undescribe(described).toJson()).isEqualTo(dense.toJson());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "ViTForImageClassification",
        "NewForCausalLM",
        "GPT2Model",
        "LlamaForCausalLMX",
        "ForCausalLM",
        ""
      })
  void leavesOtherClassesAlone(String architecture) {
    ModelConfig dense = config(architecture, "");
    assertThat(ModelingCode.describe(dense)).isEqualTo(dense);
    assertThat(ModelingCode.files(dense)).isEmpty();
    assertThat(ModelingCode.note(dense)).isEmpty();
  }

  @Test
  void leavesConfigsOfNoneOrSeveralClassesAlone() {
    for (String text :
        List.of("{}", "{\"architectures\": [\"BertForMaskedLM\", \"LlamaForCausalLM\"]}")) {
      ModelConfig dense = ModelConfig.parse(text);
      assertThat(ModelingCode.describe(dense)).isEqualTo(dense);
      assertThat(ModelingCode.files(dense)).isEmpty();
    }
  }

  @Test
  void keepsEntriesForOtherThings() {
    String foreign = ", \"auto_map\": {\"AutoTokenizer\": [\"mine.Slow\", null]}";
    ModelConfig dense = config("GPT2LMHeadModel", foreign);
    ModelConfig described = ModelingCode.describe(dense);
    assertThat(described.get("auto_map"))
        .isEqualTo(
            ModelConfig.parse(
                    "{\"auto_map\": {\"AutoTokenizer\": [\"mine.Slow\", null],"
                        + " \"AutoModelForCausalLM\": \"modeling_smelt.SmeltGPT2LMHeadModel\"}}")
                .get("auto_map"));
    assertThat(ModelingCode.undescribe(described)).isEqualTo(dense);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"AutoModelForCausalLM\": \"modeling_mine.Mine\"}",
        "{\"AutoModelForCausalLM\": [\"modeling_mine.Mine\"]}",
        "{\"AutoModelForCausalLM\": null}",
        "\"modeling_mine.Mine\""
      })
  void doesNotTakeThePlaceOfOtherCode(String autoMap) {
    ModelConfig dense = config("GPT2LMHeadModel", ", \"auto_map\": " + autoMap);
    assertThat(ModelingCode.describe(dense)).isEqualTo(dense);
    assertThat(ModelingCode.files(dense)).isEmpty();
    assertThat(ModelingCode.note(dense).orElseThrow()).contains("auto_map", "modeling_smelt.py");
    assertThat(ModelingCode.undescribe(dense)).isEqualTo(dense);
  }

  @Test
  void describingTwiceIsDescribingOnce() {
    ModelConfig described = ModelingCode.describe(config("GPT2LMHeadModel", ""));
    assertThat(ModelingCode.describe(described)).isEqualTo(described);
    assertThat(ModelingCode.files(described)).hasSize(1);
    ModelConfig empty = config("GPT2LMHeadModel", ", \"auto_map\": null");
    assertThat(ModelingCode.files(ModelingCode.describe(empty))).hasSize(1);
  }

  @Test
  void goesIntoTheFolderOfAFactorisedModel() {
    String config = config("GPT2LMHeadModel", ", \"model_type\": \"gpt2\"").toJson();
    List<TestTensor> tensors =
        List.of(TestTensors.random("h.0.mlp.c_fc.weight", DType.F32, 1, 8, 16));
    Path source = TestCheckpoints.folder(folder.resolve("in"), config, tensors);
    Path out = folder.resolve("out");
    Factorization.plain(new UniformKeep(0.5)).run(source, out);
    CheckpointAssertions.assertEntries(
        out, "config.json", "model.safetensors", "modeling_smelt.py");
    try (Checkpoint written = Checkpoint.open(out)) {
      assertThat(written.config().orElseThrow().get("auto_map").toString())
          .isEqualTo("{\"AutoModelForCausalLM\":\"modeling_smelt.SmeltGPT2LMHeadModel\"}");
    }
  }

  @Test
  void knowsItsOwnFileAmongOthers() {
    Path own = Path.of("a", "modeling_smelt.py");
    Path other = Path.of("a", "modeling_mine.py");
    assertThat(ModelingCode.without(List.of(own, other))).containsExactly(other);
  }
}
