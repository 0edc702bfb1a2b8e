package dev.smelt.compress.sharing;

import dev.smelt.compress.cluster.Block;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.gpu.engine.ComputeDevice;
import dev.smelt.gpu.engine.LinearAlgebra;
import dev.smelt.gpu.engine.Matrix;
import dev.smelt.gpu.engine.Precision;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A block that is not a matrix of the model as it is, computed once and kept on disk.
 *
 * @param values f64, m×n
 */
record ComputedBlock(TensorView values) implements Block {

  /**
   * All blocks of one family, in the norm that is common to them.
   *
   * @param place beside which {@code scratch} lies
   */
  static List<Block> all(
      ComputeDevice device, List<LayerBlock> blocks, Scratch scratch, Path place) {
    StoredTensors kept = new StoredTensors(scratch, place, Optional.empty());
    List<Block> computed = new ArrayList<>();
    try (LinearAlgebra algebra = device.linearAlgebra()) {
      for (Block block : SharedNorm.of(algebra, blocks).weighted()) {
        try (LinearAlgebra inner = algebra.inner()) {
          Matrix values = block.load(inner);
          Shape shape = Shape.of(values.rows(), values.cols());
          computed.add(
              new ComputedBlock(
                  kept.of("block " + computed.size(), DType.F64, shape, values.toDoubles())));
        }
      }
    }
    return computed;
  }

  @Override
  public int rows() {
    return Math.toIntExact(values.shape().size(0));
  }

  @Override
  public int columns() {
    return Math.toIntExact(values.shape().size(1));
  }

  @Override
  public Matrix load(LinearAlgebra algebra) {
    return algebra.load(values, Precision.F64, false);
  }
}
