package dev.smelt.formats.pickle;

import java.util.Optional;

/** The allow-list of a kind of pickle: which names of Python may appear, and as what. */
@FunctionalInterface
public interface Globals {

  /** What may be done with a name. */
  enum Use {
    /** Named only: a storage type, a dtype. */
    NAME,
    /** A function whose call is described by {@link PickleValue.Reduce}. */
    CALL,
    /** A class of ordered dicts, empty or of one list of pairs. */
    DICT,
    /** A class whose instances are made without arguments and then get a state. */
    CLASS
  }

  /** How {@code module.name} may be used; empty when it may not appear at all. */
  Optional<Use> use(String module, String name);
}
