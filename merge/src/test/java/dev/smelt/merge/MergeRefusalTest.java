package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.f32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.merge.mean.FisherMerge;
import dev.smelt.merge.mean.LinearMerge;
import dev.smelt.merge.method.MergeMethod;
import dev.smelt.merge.plan.HeadPolicy;
import dev.smelt.merge.plan.MergeOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models and statistics that do not belong together are refused before data is read. */
class MergeRefusalTest {

  private static final String GPT2 = "{\"model_type\": \"gpt2\"}";
  private static final MergeMethod LINEAR = new LinearMerge(List.of());
  private static final MergeMethod FISHER = new FisherMerge(List.of(), true, 1e-6, false);
  private static final MergeOptions ANY_MODEL =
      new MergeOptions(Optional.empty(), HeadPolicy.FIRST, true, false);
  private static final TestTensor W = f32("w", Shape.of(2), 1, 2);

  @TempDir private Path folder;

  @Test
  void aMissingTensorIsRefused() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(W, f32("only.here", Shape.of(1), 1)).model(W);
      assertMismatch(scenario, LINEAR)
          .hasMessageContaining(scenario.path(1) + "|only.here")
          .hasMessageContaining("expected [1] as in " + scenario.path(0) + ", found missing");
    }
  }

  @Test
  void anExtraTensorIsRefused() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(W).model(W, f32("only.there", Shape.of(1), 1));
      assertMismatch(scenario, LINEAR)
          .hasMessageContaining(scenario.path(0) + "|only.there")
          .hasMessageContaining("missing, but in " + scenario.path(1));
    }
  }

  @Test
  void anotherShapeIsRefused() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(W).model(f32("w", Shape.of(1, 2), 1, 2));
      assertMismatch(scenario, LINEAR)
          .hasMessageContaining("expected [2]")
          .hasMessageContaining("found [1,2]");
    }
  }

  @Test
  void anotherArchitectureIsRefused() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(GPT2, W).model("{\"model_type\": \"bert\"}", W);
      assertMismatch(scenario, LINEAR)
          .hasMessageContaining(scenario.path(1).toString())
          .hasMessageContaining("expected model_type gpt2, found bert");
    }
  }

  @Test
  void tiedAndUntiedModelsWithAStoredHeadAreRefused() {
    TestTensor table = f32("wte.weight", Shape.of(1, 2), 1, 2);
    TestTensor head = f32("lm_head.weight", Shape.of(1, 2), 1, 2);
    String untied = "{\"model_type\": \"gpt2\", \"tie_word_embeddings\": false}";
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(GPT2, table).model(untied, table, head);
      assertMismatch(scenario, LINEAR)
          .hasMessageContaining("expected tie_word_embeddings true, found false");
    }
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(GPT2, table).model(untied, table);
      assertThat(scenario.plan(LINEAR).merged()).hasSize(1);
    }
  }

  @Test
  void factorsAreRefused() {
    String config =
        "{\"model_type\": \"gpt2\", \"low_rank_modules\": {\"h.0.mlp.c_fc\": {\"rank\": 1}}}";
    TestTensor factor = f32("h.0.mlp.c_fc.ALinear.weight", Shape.of(2, 1), 1, 2);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(GPT2, W).model(config, W);
      assertMismatch(scenario, LINEAR)
          .hasMessageContaining(scenario.path(1).toString())
          .hasMessageContaining("smelt expand");
    }
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(factor).model(factor);
      assertMismatch(scenario, LINEAR).hasMessageContaining("smelt expand");
    }
    try (Scenario scenario = new Scenario(folder)) {
      TestTensor basis = factor.renamed("smelt.basis.0");
      scenario.model(W, basis).model(W, basis);
      assertMismatch(scenario, LINEAR).hasMessageContaining("smelt expand");
    }
  }

  @Test
  void fisherMergingNeedsStatisticsOfEveryModel() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(W).fisher(W).model(W);
      assertThatThrownBy(() -> scenario.plan(FISHER))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("no statistics for " + scenario.path(1));
      assertThatThrownBy(() -> scenario.plan(FISHER, ANY_MODEL))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("no statistics for " + scenario.path(1));
    }
  }

  @Test
  void statisticsOfAnotherModelAreRefusedUnlessAllowed() {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(W).fisher(W).model(W).fisher(Map.of("model_sha256", "0123"), W);
      assertMismatch(scenario, FISHER)
          .hasMessageContaining("another model")
          .hasMessageContaining("0123");
      assertThat(scenario.plan(FISHER, ANY_MODEL).merged()).hasSize(1);
    }
  }

  @Test
  void everyMergedTensorNeedsFisherInformationOfItsShape() {
    TestTensor v = f32("v", Shape.of(2), 1, 2);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(W, v).fisher(W, v).model(W, v).fisher(W);
      assertThatThrownBy(() -> scenario.plan(FISHER))
          .isInstanceOf(NotFoundException.class)
          .hasMessageContaining("|v]")
          .hasMessageContaining("compute it with smelt fisher");
    }
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(W, v).fisher(W, v).model(W, v).fisher(W, f32("v", Shape.of(2, 1), 1, 2));
      assertMismatch(scenario, FISHER)
          .hasMessageContaining("|v]")
          .hasMessageContaining("expected [2], found [2,1]");
    }
  }

  private static AbstractThrowableAssert<?, ? extends Throwable> assertMismatch(
      Scenario scenario, MergeMethod method) {
    return assertThatThrownBy(() -> scenario.plan(method)).isInstanceOf(MismatchException.class);
  }
}
