package dev.smelt.merge.plan;

import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Architecture;
import dev.smelt.gpu.statistics.Statistics;
import dev.smelt.merge.method.Operand;
import dev.smelt.merge.vocabulary.VocabularyModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Finds the Fisher information that belongs to a tensor of each model. */
final class FisherTensors {

  private FisherTensors() {}

  /**
   * @param name of the tensor without the family's prefix
   * @param theta the tensor in each model
   * @throws NotFoundException when statistics do not have it
   * @throws MismatchException when they have it in another shape
   */
  static List<Operand> of(
      List<MergeInput> inputs, Architecture architecture, String name, List<TensorView> theta) {
    List<Operand> fisher = new ArrayList<>();
    for (int model = 0; model < theta.size(); model++) {
      MergeInput input = inputs.get(model);
      Statistics source = ModelStatistics.of(input);
      fisher.add(new Operand(source.path(), of(input, architecture, name, theta.get(model))));
    }
    return fisher;
  }

  private static TensorView of(
      MergeInput input, Architecture architecture, String name, TensorView parameter) {
    Statistics source = ModelStatistics.of(input);
    TensorView stored =
        source
            .diagonal(parameter.name())
            .or(() -> tied(source, architecture, name))
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "no Fisher information for a tensor",
                        source.path() + "|" + parameter.name(),
                        "",
                        "compute it with smelt fisher --stats diag"));
    TensorView diagonal =
        input.checkpoint() instanceof VocabularyModel model
            ? model.information(parameter.name(), stored)
            : stored;
    if (!diagonal.shape().equals(parameter.shape())) {
      throw new MismatchException(
          "Fisher information of another shape",
          source.path() + "|" + parameter.name(),
          "expected " + parameter.shape() + ", found " + diagonal.shape(),
          "compute the statistics of this model again");
    }
    return diagonal;
  }

  /** Statistics hold a tied parameter once, under the name of the embedding. */
  private static Optional<TensorView> tied(
      Statistics source, Architecture architecture, String name) {
    return Optional.ofNullable(architecture.tied().get(name))
        .flatMap(
            embedding ->
                source
                    .diagonal(embedding)
                    .or(() -> source.diagonal(architecture.prefix() + embedding)));
  }
}
