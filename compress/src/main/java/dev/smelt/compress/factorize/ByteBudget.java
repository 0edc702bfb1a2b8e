package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Layer;
import dev.smelt.formats.UsageException;
import java.util.List;

/**
 * All tensors of the output together take at most this many bytes; what the layers get of it is
 * spent where it saves most of the predicted loss.
 *
 * @see GlobalAllocation
 */
public record ByteBudget(long bytes) implements RankPolicy {

  public ByteBudget {
    if (bytes < 1) {
      throw new UsageException("--budget " + bytes + " is out of range", "use 1 byte or more");
    }
  }

  @Override
  public int reach(Layer layer, RankGrid grid) {
    return grid.largest(layer);
  }

  @Override
  public List<RankChoice> choose(List<SpectralLayer> layers, RankGrid grid, long otherBytes) {
    if (bytes <= otherBytes) {
      throw new UsageException(
          "--budget " + bytes + " is too small: tensors that are not factorized take " + otherBytes,
          "raise it, --include more matrices or choose a narrower --dtype");
    }
    return new GlobalAllocation(layers, grid).within(bytes - otherBytes, "--budget " + bytes);
  }
}
