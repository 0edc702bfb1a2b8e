package dev.smelt.cli.command;

import java.util.List;

/** Closes a growing list of opened things, last first, whatever fails in between. */
record ClosingAll(List<AutoCloseable> opened) implements AutoCloseable {

  <T extends AutoCloseable> T add(T one) {
    opened.add(one);
    return one;
  }

  @Override
  public void close() {
    RuntimeException failure = null;
    for (AutoCloseable one : opened.reversed()) {
      try {
        one.close();
      } catch (Exception e) {
        if (failure == null) {
          failure = new IllegalStateException("cannot close", e);
        } else {
          failure.addSuppressed(e);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
