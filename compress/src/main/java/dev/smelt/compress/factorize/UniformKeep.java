package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.UsageException;
import java.math.BigDecimal;
import java.util.List;

/**
 * The same share of every layer's elements: r = ⌊ρ·out·in/(out+in)⌋, at least 1.
 *
 * @param ratio ρ, in (0, 1]
 */
public record UniformKeep(double ratio) implements RankPolicy {

  public UniformKeep {
    requireShare("--keep", ratio);
  }

  static void requireShare(String option, double ratio) {
    if (!(ratio > 0 && ratio <= 1)) {
      throw new UsageException(option + " " + ratio + " is out of range", "use a number in (0, 1]");
    }
  }

  int rank(Layer layer, RankGrid grid) {
    // In decimals: 0.58 · 100 · 100 / 200 is 29, and just below it in doubles.
    BigDecimal elements = BigDecimal.valueOf(ratio).multiply(BigDecimal.valueOf(layer.elements()));
    BigDecimal perRank = BigDecimal.valueOf((long) layer.out() + layer.in());
    int rank = elements.divideToIntegralValue(perRank).intValue();
    return grid.down(Math.clamp(rank, 1, layer.fullRank()));
  }

  @Override
  public int reach(Layer layer, RankGrid grid) {
    return Math.min(rank(layer, grid), grid.largest(layer));
  }

  @Override
  public List<RankChoice> choose(List<SpectralLayer> layers, RankGrid grid, long otherBytes) {
    return layers.stream()
        .map(one -> RankChoice.of(rank(one.layer(), grid), one.layer(), grid))
        .toList();
  }
}
