package dev.smelt.gpu.engine;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A matrix that is replaced again and again, such as a sum on its way: only the last one takes
 * memory, where a workspace would hold them all until it is closed.
 */
public final class Latest implements AutoCloseable {

  private final LinearAlgebra owner;
  private @Nullable LinearAlgebra home;
  private @Nullable Matrix matrix;

  /**
   * @param owner workspace that outlives this
   */
  public Latest(LinearAlgebra owner) {
    this.owner = owner;
  }

  public Optional<Matrix> get() {
    return Optional.ofNullable(matrix);
  }

  /** Takes a matrix from the workspace in which it was made, and gives up the one before. */
  public void set(Matrix next) {
    LinearAlgebra place = owner.inner();
    matrix = place.keep(next);
    LinearAlgebra before = home;
    home = place;
    if (before != null) {
      before.close();
    }
  }

  @Override
  public void close() {
    if (home != null) {
      home.close();
      home = null;
      matrix = null;
    }
  }
}
