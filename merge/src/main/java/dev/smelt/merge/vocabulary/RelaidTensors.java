package dev.smelt.merge.vocabulary;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.model.Architecture;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** The tensors of the models with the output's rows. Only names and shapes are looked at. */
final class RelaidTensors {

  private final List<Checkpoint> checkpoints;
  private final RowPlan plan;
  private final List<RowMap> maps;
  private final RowStore store;

  RelaidTensors(List<Checkpoint> checkpoints, RowPlan plan, RowStore store) {
    this.checkpoints = List.copyOf(checkpoints);
    this.plan = plan;
    this.maps = IntStream.range(0, checkpoints.size()).mapToObj(plan::map).toList();
    this.store = store;
  }

  /** A tensor of a model with the output's rows; itself, where it has none by token. */
  TensorView relaid(int model, TensorView tensor) {
    if (!architecture(model).hasRowPerToken(tensor.name())) {
      return tensor;
    }
    RowMap map = maps.get(model);
    List<@Nullable TensorView> views = new ArrayList<>();
    for (int donor = 0; donor < checkpoints.size(); donor++) {
      views.add(isNeeded(donor, map) ? donor(model, tensor, donor) : null);
    }
    return gathered(map, tensor, views);
  }

  private boolean isNeeded(int donor, RowMap map) {
    return IntStream.range(0, map.size()).anyMatch(o -> isNeeded(donor, map, o));
  }

  private boolean isNeeded(int donor, RowMap map, int o) {
    return map.model(o) == RowMap.MEAN
        ? plan.holders(o).stream().anyMatch(place -> place.model() == donor)
        : map.model(o) == donor;
  }

  private TensorView donor(int model, TensorView tensor, int donor) {
    if (donor == model) {
      return tensor;
    }
    Architecture architecture = architecture(donor);
    String name = architecture(model).bareName(tensor.name());
    Checkpoint checkpoint = checkpoints.get(donor);
    TensorView found =
        named(checkpoint, architecture, name)
            .or(() -> tied(checkpoint, architecture, name))
            .orElseThrow(
                () ->
                    new NotFoundException(
                        "no rows for tokens of one model",
                        checkpoint.path().toString(),
                        "expected '" + name + "' as in " + checkpoints.get(model).path(),
                        "use a vocabulary that needs no tokens of it"));
    if (!tail(found).equals(tail(tensor))) {
      throw new MismatchException(
          "models do not share a tensor",
          checkpoint.path() + "|" + found.name(),
          "expected rows as of " + tensor.shape() + ", found " + found.shape(),
          "merge models of one shape");
    }
    return found;
  }

  private static Optional<TensorView> named(
      Checkpoint checkpoint, Architecture architecture, String name) {
    return checkpoint.find(name).or(() -> checkpoint.find(architecture.prefix() + name));
  }

  private static Optional<TensorView> tied(
      Checkpoint checkpoint, Architecture architecture, String name) {
    boolean tied = checkpoint.config().map(architecture::isTied).orElse(true);
    return tied
        ? Optional.ofNullable(architecture.tied().get(name))
            .flatMap(embedding -> named(checkpoint, architecture, embedding))
        : Optional.empty();
  }

  private static List<Long> tail(TensorView tensor) {
    return IntStream.range(1, tensor.shape().rank())
        .mapToObj(axis -> tensor.shape().size(axis))
        .toList();
  }

  /** What belongs to the model's own rows; 0 for others. */
  TensorView ownRows(int model, String tensor, TensorView values) {
    RowMap map = maps.get(model);
    boolean byToken = architecture(model).hasRowPerToken(tensor);
    TensorView stored = checkpoints.get(model).tensor(tensor);
    if (!byToken || !values.shape().equals(stored.shape())) {
      return values;
    }
    List<@Nullable TensorView> views = new ArrayList<>();
    for (int donor = 0; donor < checkpoints.size(); donor++) {
      views.add(donor == model ? values : null);
    }
    return gathered(map.ownOnly(), values, views);
  }

  private TensorView gathered(RowMap map, TensorView tensor, List<@Nullable TensorView> views) {
    long[] sizes = new long[tensor.shape().rank()];
    for (int axis = 0; axis < sizes.length; axis++) {
      sizes[axis] = axis == 0 ? map.size() : tensor.shape().size(axis);
    }
    TensorInfo info = new TensorInfo(tensor.name(), tensor.dtype(), Shape.of(sizes));
    if (map.isPrefix()) {
      return map.size() == tensor.shape().size(0)
          ? tensor
          : TensorView.made(info, () -> tensor.segment().asSlice(0, info.bytes()));
    }
    if (tensor.elements() / tensor.shape().size(0) * tensor.dtype().bits() % Byte.SIZE != 0) {
      throw new UnsupportedException(
          "rows that do not fill whole bytes",
          tensor.name(),
          "found " + tensor.info(),
          "convert the model to another type first");
    }
    return TensorView.made(info, new GatheredRows(info, map, views, plan::holders, store));
  }

  private Architecture architecture(int model) {
    return Architecture.of(checkpoints.get(model).config());
  }
}
