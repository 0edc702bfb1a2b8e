package dev.smelt.merge.vocabulary;

import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.codec.TensorEncoder;
import dev.smelt.merge.vocabulary.RowMap.Place;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.IntFunction;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of a matrix put together row by row when they are first asked for. Rows of a model with
 * another type, and means, are rounded once to the type of the matrix; means are taken in f64.
 */
final class GatheredRows implements Supplier<MemorySegment> {

  private final TensorInfo info;
  private final RowMap map;
  private final List<@Nullable TensorView> views;
  private final IntFunction<List<Place>> holders;
  private final RowStore store;
  private final int length;

  private volatile @Nullable MemorySegment made;

  /**
   * @param info of the result
   * @param views the matrix in each model; null where no row of it is needed
   * @param holders of the rows of which the mean is taken
   */
  GatheredRows(
      TensorInfo info,
      RowMap map,
      List<@Nullable TensorView> views,
      IntFunction<List<Place>> holders,
      RowStore store) {
    this.info = info;
    this.map = map;
    this.views = views;
    this.holders = holders;
    this.store = store;
    this.length = map.size() == 0 ? 0 : Math.toIntExact(info.elements() / map.size());
  }

  @Override
  public MemorySegment get() {
    @Nullable MemorySegment known = made;
    return known == null ? gather() : known;
  }

  private synchronized MemorySegment gather() {
    @Nullable MemorySegment known = made;
    if (known != null) {
      return known;
    }
    MemorySegment target = store.allocate(info.bytes());
    double[] row = new double[length];
    double[] mean = new double[length];
    TensorEncoder encoder = new TensorEncoder(info);
    int o = 0;
    while (o < map.size()) {
      int run = run(o);
      if (run > 0) {
        copy(o, run, target);
        o += run;
        continue;
      }
      if (map.model(o) == RowMap.MEAN) {
        mean(holders.apply(o), row, mean);
        encode(encoder, o, mean, target);
      } else if (map.model(o) != RowMap.ZERO) {
        read(new Place(map.model(o), map.row(o)), row);
        encode(encoder, o, row, target);
      }
      o++;
    }
    MemorySegment result = target.asReadOnly();
    made = result;
    return result;
  }

  /** How many rows from {@code o} on lie together, in the type that is wanted. */
  private int run(int o) {
    int model = map.model(o);
    if (model < 0 || view(model).dtype() != info.dtype()) {
      return 0;
    }
    int end = o + 1;
    while (end < map.size() && map.model(end) == model && map.row(end) == map.row(end - 1) + 1) {
      end++;
    }
    return end - o;
  }

  private void copy(int o, int run, MemorySegment target) {
    long bytes = info.dtype().bytes(length);
    MemorySegment source = view(map.model(o)).segment();
    MemorySegment.copy(source, map.row(o) * bytes, target, o * bytes, run * bytes);
  }

  private void encode(TensorEncoder encoder, int o, double[] values, MemorySegment target) {
    long first = (long) o * length;
    encoder.encode(values, length, first, target, first);
  }

  private void read(Place place, double[] target) {
    view(place.model()).read((long) place.row() * length, length, target);
  }

  private void mean(List<Place> places, double[] row, double[] mean) {
    Arrays.fill(mean, 0);
    for (Place place : places) {
      read(place, row);
      for (int k = 0; k < length; k++) {
        mean[k] += row[k];
      }
    }
    for (int k = 0; k < length; k++) {
      mean[k] /= places.size();
      if (Double.isInfinite(mean[k])) {
        mean[k] = meanInRange(places, k);
      }
    }
  }

  /** Of values so large that their sum is beyond f64. */
  private double meanInRange(List<Place> places, int k) {
    double[] one = new double[1];
    double mean = 0;
    for (Place place : places) {
      view(place.model()).read((long) place.row() * length + k, 1, one);
      mean += one[0] / places.size();
    }
    return mean;
  }

  private TensorView view(int model) {
    return Objects.requireNonNull(views.get(model), info.name());
  }
}
