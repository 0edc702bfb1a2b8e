package dev.smelt.gpu.statistics;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.gradient.Total;
import dev.smelt.gpu.layer.Layout;
import dev.smelt.gpu.statistics.Plan.Entry;
import dev.smelt.gpu.torch.ScriptFunctions;
import dev.smelt.gpu.torch.Tensors;
import dev.smelt.gpu.torch.TorchDevice;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The running sums of a plan, in f64. On the CPU they lie in a mapped file, so that the system can
 * move them out of memory; on a GPU in its memory.
 */
final class Totals implements AutoCloseable {

  /** Elements read at a time from a device. */
  private static final int CHUNK = 16 << 20;

  private final NDManager manager;
  private final ScriptFunctions functions;
  private final Scratch scratch;
  private final NDArray traces;
  private final Map<Entry, Total> totals = new LinkedHashMap<>();
  private final Map<String, List<Entry>> byParameter = new HashMap<>();
  private final List<Entry> hidden = new ArrayList<>();
  private final List<String> watched = new ArrayList<>();

  /**
   * @param target the file that statistics will be written to; sums go to the same disk
   */
  Totals(TorchDevice device, Plan plan, Set<Statistic> statistics, Path target) {
    manager = device.scope();
    functions = device.functions();
    scratch = Storage.local().scratch(target);
    List<Entry> estimated = plan.estimated();
    long count = estimated.stream().filter(e -> Plan.isWatched(e, statistics)).count();
    traces = manager.zeros(new Shape(count + 1), DataType.FLOAT64);
    for (Entry entry : estimated) {
      // The last trace is of what nobody watches.
      long trace = Plan.isWatched(entry, statistics) ? watched.size() : count;
      if (Plan.isWatched(entry, statistics)) {
        watched.add(entry.parameter());
      }
      NDArray slot = traces.get(new NDIndex().addSliceDim(trace, trace + 1));
      totals.put(entry, new Total(zeros(entry.summed()), slot));
      if (entry.statistic() == Statistic.ENTROPY) {
        hidden.add(entry);
      } else {
        byParameter.computeIfAbsent(entry.parameter(), key -> new ArrayList<>()).add(entry);
      }
    }
  }

  private NDArray zeros(dev.smelt.formats.Shape summed) {
    Shape shape = new Shape(summed.sizes().toArray());
    if (manager.getDevice().isGpu() || summed.elements() == 0) {
      return manager.zeros(shape, DataType.FLOAT64);
    }
    MemorySegment segment = scratch.allocate(summed.elements() * Double.BYTES);
    return Tensors.over(manager, segment, shape, DataType.FLOAT64);
  }

  /** What is added up over the data for a parameter. */
  List<Entry> of(String parameter) {
    return byParameter.getOrDefault(parameter, List.of());
  }

  /** Hidden states before each block and behind the last, a row for each position of a sample. */
  List<Entry> hidden() {
    return List.copyOf(hidden);
  }

  /** The entropy of hidden states, once all are there. */
  double entropy(Entry entry) {
    return NeighbourEntropy.of(manager, functions, total(entry).values());
  }

  Total total(Entry entry) {
    Total total = totals.get(entry);
    if (total == null) {
      throw new IllegalArgumentException(entry + " is not added up");
    }
    return total;
  }

  /** Parameters whose sums of squares are watched, in order. */
  List<String> watched() {
    return List.copyOf(watched);
  }

  /** What a batch has added to the sum of squares of each watched parameter; then begins anew. */
  double[] takeTraces() {
    double[] all = traces.toDoubleArray();
    functions.call(manager, "clear", traces).close();
    double[] found = new double[watched.size()];
    System.arraycopy(all, 0, found, 0, found.length);
    return found;
  }

  /** Receives a tensor in parts. */
  @FunctionalInterface
  interface Sink {
    void accept(long first, double[] values);
  }

  /** The sum of an entry, row-major, part by part. */
  void read(Entry entry, Sink sink) {
    if (!entry.fromDiagonal()) {
      read(total(entry).values(), sink);
      return;
    }
    Entry diagonal =
        of(entry.parameter()).stream()
            .filter(other -> other.statistic() == Statistic.DIAG)
            .findFirst()
            .orElseThrow();
    try (NDManager temporary = manager.newSubManager()) {
      NDArray matrix = matrix(temporary, total(diagonal).values(), entry);
      boolean rows = entry.statistic() == Statistic.ROWS;
      boolean stored = entry.form().orElseThrow().layout() == Layout.OUT_IN;
      NDArray sums = matrix.sum(new int[] {rows == stored ? 1 : 0});
      sums.attach(temporary);
      read(sums, sink);
    }
  }

  private static NDArray matrix(NDManager temporary, NDArray values, Entry entry) {
    NDArray matrix =
        values.reshape(
            entry.form().orElseThrow().storedRows(), entry.form().orElseThrow().storedColumns());
    matrix.attach(temporary);
    return matrix;
  }

  private void read(NDArray values, Sink sink) {
    long elements = values.size();
    try (NDManager temporary = manager.newSubManager()) {
      NDArray flat = values.reshape(elements);
      flat.attach(temporary);
      for (long first = 0; first < elements; first += CHUNK) {
        long last = Math.min(elements, first + CHUNK);
        try (NDArray part = flat.get(new NDIndex().addSliceDim(first, last))) {
          sink.accept(first, part.toDoubleArray());
        }
      }
    }
  }

  /** Overwrites a part of a sum. */
  void restore(Entry entry, long first, double[] values) {
    NDArray all = total(entry).values();
    try (NDManager temporary = manager.newSubManager()) {
      NDArray flat = all.reshape(all.size());
      flat.attach(temporary);
      NDArray part = temporary.create(values);
      flat.set(new NDIndex().addSliceDim(first, first + values.length), part);
    }
  }

  @Override
  public void close() {
    manager.close();
    scratch.close();
  }
}
