package dev.smelt.formats.storage;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Outputs in the making; those still open when the process ends are discarded. */
final class Unfinished {

  private static final Set<LocalStaging> OPEN = ConcurrentHashMap.newKeySet();

  static {
    Runtime.getRuntime().addShutdownHook(new Thread(Unfinished::discardAll, "smelt-discard"));
  }

  private Unfinished() {}

  static void add(LocalStaging staging) {
    OPEN.add(staging);
  }

  static void remove(LocalStaging staging) {
    OPEN.remove(staging);
  }

  /** Returns when all are gone, also when another thread is at it. */
  static void discardAll() {
    OPEN.forEach(LocalStaging::close);
  }
}
