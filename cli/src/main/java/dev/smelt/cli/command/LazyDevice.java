package dev.smelt.cli.command;

import dev.smelt.gpu.engine.ComputeDevice;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A device that is opened when it is first needed: loading the engine takes a second. */
final class LazyDevice implements Supplier<ComputeDevice>, AutoCloseable {

  private final Supplier<ComputeDevice> opener;
  private @Nullable ComputeDevice opened;

  LazyDevice(Supplier<ComputeDevice> opener) {
    this.opener = opener;
  }

  @Override
  public ComputeDevice get() {
    if (opened == null) {
      opened = opener.get();
    }
    return opened;
  }

  boolean isOpen() {
    return opened != null;
  }

  @Override
  public void close() {
    if (opened != null) {
      opened.close();
    }
  }
}
