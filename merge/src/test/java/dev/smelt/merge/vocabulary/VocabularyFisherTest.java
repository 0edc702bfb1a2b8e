package dev.smelt.merge.vocabulary;

import static dev.smelt.merge.vocabulary.TestModels.EMBEDDING;
import static dev.smelt.merge.vocabulary.TestModels.column;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.MismatchException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.gpu.statistics.Statistics;
import dev.smelt.merge.mean.FisherMerge;
import dev.smelt.merge.method.Operand;
import dev.smelt.merge.method.Operands;
import dev.smelt.merge.plan.HeadPolicy;
import dev.smelt.merge.plan.MergeInput;
import dev.smelt.merge.plan.MergeOptions;
import dev.smelt.merge.plan.MergePlan;
import dev.smelt.merge.plan.MergePlanner;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Statistics follow the rows of their models. */
class VocabularyFisherTest {

  private static final MergeOptions OPTIONS =
      new MergeOptions(Optional.empty(), HeadPolicy.FIRST, true, false);

  @TempDir private Path folder;

  private Statistics statistics(String name, TestTensor diagonal) {
    byte[] file = TestCheckpoints.safetensors(List.of(diagonal), Map.of("model_sha256", "0"));
    return Statistics.open(TestCheckpoints.write(folder.resolve(name + ".safetensors"), file));
  }

  private static List<double[]> values(List<Operand> operands) {
    return operands.stream().map(Operand::view).map(TensorView::toDoubles).toList();
  }

  private static MergePlan plan(Vocabularies vocabularies, Statistics first, Statistics second) {
    List<MergeInput> inputs =
        List.of(
            new MergeInput(vocabularies.models().get(0), "0", Optional.of(first)),
            new MergeInput(vocabularies.models().get(1), "0", Optional.of(second)));
    return MergePlanner.plan(inputs, new FisherMerge(List.of(), false, 0, false), OPTIONS);
  }

  @Test
  void whatAModelDoesNotHaveItKnowsNothingOf() {
    try (TestModels models = new TestModels(folder);
        Statistics first = statistics("1", column("diag/" + EMBEDDING, 1, 2, 3));
        Statistics second = statistics("2", column("diag/" + EMBEDDING, 4, 5, 6))) {
      models.model(new String[] {"a", "b", "c"}, 1, 2, 3);
      models.model(new String[] {"c", "a", "d"}, 30, 10, 40);
      Operands operands = plan(models.plan("union"), first, second).merged().getFirst().operands();
      assertThat(values(operands.theta()))
          .containsExactly(new double[] {1, 2, 3, 40}, new double[] {10, 2, 30, 40});
      assertThat(values(operands.fisher()))
          .containsExactly(new double[] {1, 2, 3, 0}, new double[] {5, 0, 4, 6});
    }
  }

  @Test
  void informationMustBeOfTheModelAsItIs() {
    try (TestModels models = new TestModels(folder);
        Statistics first = statistics("1", column("diag/" + EMBEDDING, 1, 2, 3));
        Statistics second = statistics("2", column("diag/" + EMBEDDING, 4, 5))) {
      models.model(new String[] {"a", "b", "c"}, 1, 2, 3);
      models.model(new String[] {"c", "a", "d"}, 30, 10, 40);
      Vocabularies union = models.plan("union");
      assertThatThrownBy(() -> plan(union, first, second))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("Fisher information of another shape");
    }
  }
}
