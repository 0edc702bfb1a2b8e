package dev.smelt.compress.factorize;

import dev.smelt.compress.factorize.FactoredModel.LayerState;
import dev.smelt.compress.layer.Factors;
import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Basis;
import dev.smelt.formats.model.FusedPart;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.Sharing;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** What the list of a model's modules says of layers. */
final class ListedModules {

  private ListedModules() {}

  /**
   * @param matrices all layers of each stored matrix: itself, or its parts
   */
  static LowRank of(List<List<LayerState>> matrices) {
    LinkedHashMap<String, LowRank.Entry> modules = new LinkedHashMap<>();
    for (List<LayerState> states : matrices) {
      Layer first = states.getFirst().layer();
      if (states.stream().allMatch(LayerState.Dense.class::isInstance)) {
        continue;
      }
      modules.put(
          first.whole(),
          first.part().isPresent()
              ? new LowRank.Split(
                  states.stream().map(ListedModules::part).toList(), first.transposed())
              : module(states.getFirst()));
    }
    return new LowRank(modules);
  }

  private static LowRank.Module module(LayerState state) {
    return switch (state) {
      case LayerState.Factored(Layer layer, Factors factors) ->
          new LowRank.Module(factors.rank(), layer.transposed(), sharing(factors));
      case LayerState.Changed(Layer layer, TensorView _, Factors factors) ->
          new LowRank.Module(factors.rank(), layer.transposed(), sharing(factors), true);
      case LayerState.Dense(Layer layer, String _) ->
          throw new IllegalArgumentException(layer.module() + " is dense");
    };
  }

  private static Sharing sharing(Factors factors) {
    Optional<Sharing> left = Basis.named(factors.a().name()).map(Sharing.OfA::new);
    Optional<Sharing> right = Basis.named(factors.b().name()).map(Sharing.OfB::new);
    return left.or(() -> right).orElse(new Sharing.None());
  }

  private static LowRank.Part part(LayerState state) {
    FusedPart part = state.layer().part().orElseThrow();
    return switch (state) {
      case LayerState.Factored(Layer _, Factors factors) ->
          new LowRank.Part(
              part.name(), part.slice(), OptionalInt.of(factors.rank()), sharing(factors));
      case LayerState.Changed _ ->
          throw new IllegalArgumentException(state.layer().module() + " is no whole matrix");
      case LayerState.Dense _ -> new LowRank.Part(part.name(), part.slice(), OptionalInt.empty());
    };
  }
}
