package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.UsageException;
import java.util.List;

/**
 * The smallest rank whose relative error in the metric is at most {@code limit}: Σ_{i≤r} σᵢ² ≥ (1 −
 * ε²) Σ σᵢ². What rounding to the stored type costs counts too. A limit of 0 asks for every
 * direction and promises nothing: no stored type is exact.
 *
 * @param limit ε, in [0, 1)
 */
public record ErrorLimit(double limit) implements RankPolicy {

  public ErrorLimit {
    if (!(limit >= 0 && limit < 1)) {
      throw new UsageException(
          "--max-error " + limit + " is out of range", "use a number in [0, 1)");
    }
  }

  @Override
  public int reach(Layer layer, RankGrid grid) {
    return grid.largest(layer);
  }

  @Override
  public List<RankChoice> choose(List<SpectralLayer> layers, RankGrid grid, long otherBytes) {
    return layers.stream().map(one -> choose(one, grid)).toList();
  }

  private RankChoice choose(SpectralLayer one, RankGrid grid) {
    double[] tails = one.spectrum().tails();
    for (int rank = 1; rank < tails.length; rank++) {
      if (tails[rank] <= limit * limit) {
        return RankChoice.of(grid.up(rank), one.layer(), grid);
      }
    }
    return new RankChoice.Dense(
        "factors of rank " + (tails.length - 1) + ", the largest, would miss the promised error");
  }

  @Override
  public double promisedError() {
    return limit == 0 ? Double.POSITIVE_INFINITY : limit;
  }
}
