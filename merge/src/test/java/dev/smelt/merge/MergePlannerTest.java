package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.bf16;
import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.i64;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.merge.mean.FisherMerge;
import dev.smelt.merge.mean.LinearMerge;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.plan.HeadPolicy;
import dev.smelt.merge.plan.MergeOptions;
import dev.smelt.merge.plan.MergePlan;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which tensors belong together, and what becomes of those without a counterpart. */
class MergePlannerTest {

  private static final String GPT2 = "{\"model_type\": \"gpt2\"}";
  private static final String BERT = "{\"model_type\": \"bert\"}";
  private static final MergeMethod LINEAR = new LinearMerge(List.of());
  private static final MergeMethod FISHER = new FisherMerge(List.of(), false, 0, false);
  private static final Shape TWO = Shape.of(2);
  private static final Shape TABLE = Shape.of(2, 1);

  @TempDir private Path folder;

  @Test
  void theOutputHasTheFirstModelsNamesTypesAndOrder() {
    TestTensor ids = i64("z.ids", TWO, 1, 2);
    TestTensor head = f32("b.head.weight", TWO, 1, 2);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(f32("m", TWO, 1, 2), ids, bf16("a", TWO, 1, 2), head, f32("c", TWO, 1, 2));
      scenario.model(f32("c", TWO, 3, 4), f32("a", TWO, 3, 4), ids, f32("m", TWO, 3, 4));
      MergePlan plan = scenario.plan(LINEAR);
      assertThat(Merger.outputs(plan))
          .isEqualTo(
              List.of(
                  new TensorInfo("m", DType.F32, TWO),
                  ids.info(),
                  new TensorInfo("a", DType.BF16, TWO),
                  head.info(),
                  new TensorInfo("c", DType.F32, TWO)));
      assertThat(plan.merged()).hasSize(3);
      assertThat(plan.copied())
          .extracting(copied -> copied.source().view().name())
          .containsExactly("z.ids", "b.head.weight");
      assertThat(plan.copied().getLast().reason()).contains("head");
      assertThat(plan.notes())
          .anyMatch(note -> note.contains("F32 of " + scenario.path(1) + " is rounded to BF16"))
          .anyMatch(note -> note.contains("config and side files are those of"));
    }
  }

  @Test
  void anotherTypeIsForEveryFloatTensor() {
    MergeOptions wide = new MergeOptions(Optional.of(DType.F64), HeadPolicy.FIRST, false, false);
    TestTensor ids = i64("ids", TWO, 1, 2);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(bf16("w", TWO, 1, 2), bf16("head.weight", TWO, 5, 6), ids);
      scenario.model(bf16("w", TWO, 2, 4), ids);
      Checkpoint merged = scenario.run(LINEAR, wide);
      assertThat(merged.tensor("w").dtype()).isEqualTo(DType.F64);
      assertThat(merged.tensor("w").toDoubles()).containsExactly(1.5, 3);
      assertThat(merged.tensor("head.weight").dtype()).isEqualTo(DType.F64);
      assertThat(merged.tensor("head.weight").toDoubles()).containsExactly(5, 6);
      assertThat(merged.tensor("ids").dtype()).isEqualTo(DType.I64);
    }
  }

  @Test
  void aPrefixMakesNoDifference() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(GPT2, f32("wte.weight", TABLE, 1, 2), f32("h.0.ln_1.bias", TWO, 1, 1));
      scenario.fisher(f32("wte.weight", TABLE, 1, 0), f32("h.0.ln_1.bias", TWO, 1, 1));
      scenario.model(
          GPT2,
          f32("transformer.h.0.ln_1.bias", TWO, 3, 5),
          f32("transformer.wte.weight", TABLE, 3, 6));
      scenario.fisher(
          f32("transformer.wte.weight", TABLE, 0, 1), f32("transformer.h.0.ln_1.bias", TWO, 1, 3));
      Checkpoint merged = scenario.run(FISHER);
      assertThat(merged.tensor("wte.weight").toFloats()).containsExactly(1, 6);
      assertThat(merged.tensor("h.0.ln_1.bias").toFloats()).containsExactly(2, 4);
    }
  }

  @Test
  void oneNameWithAndWithoutPrefixIsAmbiguous() {
    TestTensor bare = f32("wte.weight", TABLE, 1, 2);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(GPT2, bare).model(GPT2, bare, bare.renamed("transformer.wte.weight"));
      assertThatThrownBy(() -> scenario.plan(LINEAR))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining(scenario.path(1).toString())
          .hasMessageContaining("wte.weight and transformer.wte.weight");
    }
  }

  @Test
  void aTiedHeadUsesTheEmbeddingsInformation() {
    try (Scenario scenario = new Scenario(folder)) {
      tied(scenario, 1, 2).fisher(f32("transformer.wte.weight", TABLE, 1, 3));
      tied(scenario, 5, 6).fisher(f32("transformer.wte.weight", TABLE, 3, 1));
      Checkpoint merged = scenario.run(FISHER);
      assertThat(merged.tensor("transformer.wte.weight").toFloats()).containsExactly(4, 3);
      assertThat(merged.tensor("lm_head.weight").toFloats()).containsExactly(4, 3);
    }
  }

  private static Scenario tied(Scenario scenario, float... values) {
    TestTensor table = f32("transformer.wte.weight", TABLE, values);
    return scenario.model(GPT2, table, table.renamed("lm_head.weight"));
  }

  private static MergeOptions strict() {
    return new MergeOptions(Optional.empty(), HeadPolicy.ERROR, false, false);
  }

  /** Half of the checkpoints on the Hub store it and half do not. */
  @Test
  void aTiedHeadThatOneModelDoesNotStoreStaysTied() {
    TestTensor table = f32("transformer.wte.weight", TABLE, 5, 6);
    try (Scenario scenario = new Scenario(folder)) {
      tied(scenario, 1, 2).model(GPT2, table);
      Checkpoint merged = scenario.run(LINEAR, strict());
      assertThat(merged.tensor("transformer.wte.weight").toFloats()).containsExactly(3, 4);
      assertThat(merged.tensor("lm_head.weight").toFloats()).containsExactly(3, 4);
    }
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(GPT2, table);
      MergePlan plan = tied(scenario, 1, 2).plan(LINEAR, strict());
      assertThat(plan.merged()).hasSize(1);
      assertThat(plan.dropped()).hasSize(1);
      assertThat(plan.dropped().getFirst().tensor().name()).isEqualTo("lm_head.weight");
      assertThat(plan.dropped().getFirst().model()).isEqualTo(2);
      assertThat(plan.dropped().getFirst().reason()).contains("tied");
    }
  }

  @Test
  void anUntiedHeadIsAHeadOfItsOwn() {
    String untied = "{\"model_type\": \"gpt2\", \"tie_word_embeddings\": false}";
    TestTensor table = f32("wte.weight", TABLE, 5, 6);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(untied, table, f32("lm_head.weight", TABLE, 8, 9)).model(untied, table);
      assertThat(scenario.run(LINEAR).tensor("lm_head.weight").toFloats()).containsExactly(8, 9);
      assertThatThrownBy(() -> scenario.plan(LINEAR, strict()))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("lm_head.weight");
    }
  }

  @Test
  void headsOfAnotherShapeAreTheFirstModelsUnlessRefused() {
    TestTensor shared = f32("bert.embeddings.word_embeddings.weight", TABLE, 1, 3);
    TestTensor two = f32("classifier.bias", Shape.of(2), 1, 2);
    TestTensor three = f32("classifier.bias", Shape.of(3), 1, 2, 3);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(BERT, shared, two).model(BERT, shared, three);
      assertThat(scenario.run(LINEAR).tensor("classifier.bias").toFloats()).containsExactly(1, 2);
      assertThatThrownBy(() -> scenario.plan(LINEAR, strict()))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining(scenario.path(1) + "|classifier.bias")
          .hasMessageContaining("expected [2] as in " + scenario.path(0) + ", found [3]")
          .hasMessageContaining("--heads first");
    }
  }

  @Test
  void headsOfLaterModelsAreDroppedUnlessRefused() {
    TestTensor shared = f32("bert.embeddings.word_embeddings.weight", TABLE, 1, 3);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(BERT, shared);
      scenario.model(BERT, shared).model(BERT, shared, f32("classifier.bias", TWO, 1, 2));
      MergePlan plan = scenario.plan(LINEAR);
      assertThat(plan.dropped()).hasSize(1);
      assertThat(plan.dropped().getFirst().model()).isEqualTo(3);
      assertThatThrownBy(() -> scenario.plan(LINEAR, strict()))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining(scenario.path(0) + "|classifier.bias")
          .hasMessageContaining("missing, but in " + scenario.path(2));
    }
  }

  @Test
  void aKeptHeadMustBeFinite() {
    TestTensor shared = f32("bert.embeddings.word_embeddings.weight", TABLE, 1, 3);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(BERT, shared, f32("classifier.bias", TWO, 1, Float.NaN)).model(BERT, shared);
      assertThatThrownBy(() -> scenario.run(LINEAR))
          .isInstanceOf(NonFiniteException.class)
          .hasMessageContaining(scenario.path(0) + "|classifier.bias")
          .hasMessageContaining("index 1");
      MergeOptions allow = new MergeOptions(Optional.empty(), HeadPolicy.FIRST, false, true);
      assertThat(scenario.run(LINEAR, allow).tensor("classifier.bias").toFloats()[1]).isNaN();
    }
  }

  @Test
  void buffersAreCopiedWhereEqualAndMayBeMissing() {
    TestTensor table = f32("wte.weight", TABLE, 1, 3);
    float[] mask = {1, Float.NEGATIVE_INFINITY};
    TestTensor narrow = bf16("h.0.attn.bias", TWO, mask);
    TestTensor wide = f32("h.0.attn.bias", TWO, mask);
    TestTensor other = f32("h.0.attn.bias", TWO, 0, Float.NEGATIVE_INFINITY);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(GPT2, narrow, table).model(GPT2, wide, table).model(GPT2, table);
      TensorView copied = scenario.run(LINEAR).tensor("h.0.attn.bias");
      assertThat(copied.info()).isEqualTo(narrow.info());
      assertThat(copied.toFloats()).containsExactly(mask);
    }
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(GPT2, table).model(GPT2, wide, table);
      assertThat(scenario.plan(LINEAR).dropped().getFirst().reason()).contains("buffer");
    }
    for (TestTensor first : List.of(wide, narrow)) {
      try (Scenario scenario = new Scenario(folder)) {
        scenario.model(GPT2, first, table).model(GPT2, other, table);
        assertThatThrownBy(() -> scenario.run(LINEAR))
            .isInstanceOf(MismatchException.class)
            .hasMessageContaining(scenario.path(1) + "|h.0.attn.bias")
            .hasMessageContaining("differ at index 0");
      }
    }
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(GPT2, wide, table);
      scenario.model(GPT2, random("h.0.attn.bias", DType.F32, 1, 3), table);
      assertThatThrownBy(() -> scenario.plan(LINEAR))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("expected [2]")
          .hasMessageContaining("found [3]");
    }
  }
}
