package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Layer;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;

/**
 * A share of the bytes of all layers together, spent where it saves most of the predicted loss.
 *
 * @param ratio in (0, 1]
 * @see GlobalAllocation
 */
public record TotalKeep(double ratio) implements RankPolicy {

  public TotalKeep {
    UniformKeep.requireShare("--keep-total", ratio);
  }

  /** Shares above it are possible: the smallest factors of all layers take it. */
  static double least(List<SpectralLayer> layers, RankGrid grid) {
    return (double) new GlobalAllocation(layers, grid).leastBytes() / denseBytes(layers);
  }

  @Override
  public int reach(Layer layer, RankGrid grid) {
    return grid.largest(layer);
  }

  @Override
  public List<RankChoice> choose(List<SpectralLayer> layers, RankGrid grid, long otherBytes) {
    BigDecimal bytes = BigDecimal.valueOf(ratio).multiply(BigDecimal.valueOf(denseBytes(layers)));
    return new GlobalAllocation(layers, grid)
        .within(bytes.setScale(0, RoundingMode.FLOOR).longValueExact(), "--keep-total " + ratio);
  }

  private static long denseBytes(List<SpectralLayer> layers) {
    return layers.stream().mapToLong(SpectralLayer::denseBytes).sum();
  }
}
