package dev.smelt.formats.pickle;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;

/**
 * What a pickle describes. Values are shared where the pickle shares them, so a small file can
 * describe a graph with exponentially many paths: walk it with a bound on visited values. Nesting
 * is bounded and there are no cycles. Containers do not change once {@link PickleReader} returns
 * them; they compare by identity, since comparing content would follow every path.
 */
public sealed interface PickleValue {

  /** The values directly inside this one; none of plain values. */
  default List<PickleValue> parts() {
    return List.of();
  }

  /** Python's None. */
  enum None implements PickleValue {
    NONE
  }

  record Bool(boolean value) implements PickleValue {}

  /** A whole number of any size that {@link PickleReader} lets pass. */
  record Whole(BigInteger value) implements PickleValue {

    /** The number as a long, if it fits. */
    public Optional<Long> asLong() {
      return value.bitLength() < Long.SIZE ? Optional.of(value.longValue()) : Optional.empty();
    }
  }

  record Real(double value) implements PickleValue {}

  record Text(String value) implements PickleValue {}

  /** A bytes object, of which only the length matters to any reader. */
  record Bytes(int length) implements PickleValue {}

  /** A name of Python that the allow-list knows; never looked up, never called. */
  record Global(String module, String name) implements PickleValue {

    /** As Python writes it: {@code torch._utils._rebuild_tensor_v2}. */
    public String qualified() {
      return module + "." + name;
    }
  }

  /** A reference to something outside the pickle: for PyTorch, a storage. */
  final class PersistentId implements PickleValue {

    private final PickleValue id;
    private final long offset;

    PersistentId(PickleValue id, long offset) {
      this.id = id;
      this.offset = offset;
    }

    public PickleValue id() {
      return id;
    }

    @Override
    public List<PickleValue> parts() {
      return List.of(id);
    }

    /** Where in the file it stands. */
    public long offset() {
      return offset;
    }
  }

  /** A tuple. */
  final class Tuple implements PickleValue {

    private final List<PickleValue> items;

    Tuple(List<PickleValue> items) {
      this.items = List.copyOf(items);
    }

    public List<PickleValue> items() {
      return items;
    }

    @Override
    public List<PickleValue> parts() {
      return items;
    }
  }

  /** A list or a set. */
  final class Sequence implements PickleValue {

    private final List<PickleValue> items = new ArrayList<>();

    void add(PickleValue item) {
      items.add(item);
    }

    public List<PickleValue> items() {
      return Collections.unmodifiableList(items);
    }

    @Override
    public List<PickleValue> parts() {
      return items();
    }
  }

  /**
   * A dict or OrderedDict, entries as they were set. A key may come twice; Python would keep the
   * last.
   */
  final class Dict implements PickleValue {

    private final List<Entry> entries = new ArrayList<>();
    private PickleValue attributes = None.NONE;

    void put(PickleValue key, PickleValue value) {
      entries.add(new Entry(key, value));
    }

    void attributes(PickleValue state) {
      attributes = state;
    }

    public List<Entry> entries() {
      return Collections.unmodifiableList(entries);
    }

    /** What an OrderedDict carries as an object: PyTorch puts {@code _metadata} there. */
    public PickleValue attributes() {
      return attributes;
    }

    @Override
    public List<PickleValue> parts() {
      List<PickleValue> parts = new ArrayList<>(2 * entries.size() + 1);
      for (Entry entry : entries) {
        parts.add(entry.key());
        parts.add(entry.value());
      }
      parts.add(attributes);
      return parts;
    }
  }

  /** One pair of a {@link Dict}. */
  record Entry(PickleValue key, PickleValue value) {}

  /** What a call of {@code function} would give; the call is not made. */
  final class Reduce implements PickleValue {

    private final Global function;
    private final Tuple arguments;
    private final long offset;

    Reduce(Global function, Tuple arguments, long offset) {
      this.function = function;
      this.arguments = arguments;
      this.offset = offset;
    }

    public Global function() {
      return function;
    }

    public Tuple arguments() {
      return arguments;
    }

    @Override
    public List<PickleValue> parts() {
      return List.of(arguments);
    }

    /** Where in the file it stands. */
    public long offset() {
      return offset;
    }
  }

  /** An object of a class, with its state; for TorchScript the attributes of a module. */
  final class Instance implements PickleValue {

    private final Global type;
    private PickleValue state = None.NONE;

    Instance(Global type) {
      this.type = type;
    }

    void state(PickleValue built) {
      state = built;
    }

    public Global type() {
      return type;
    }

    public PickleValue state() {
      return state;
    }

    @Override
    public List<PickleValue> parts() {
      return List.of(state);
    }
  }
}
