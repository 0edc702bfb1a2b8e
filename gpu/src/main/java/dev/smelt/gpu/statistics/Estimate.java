package dev.smelt.gpu.statistics;

import dev.smelt.formats.TensorInfo;
import dev.smelt.gpu.statistics.Plan.Entry;
import java.util.List;

/**
 * Statistics of a network on data, as sums that are still where they were made. Close it to free
 * them.
 */
public final class Estimate implements Statistics.Source, AutoCloseable {

  /**
   * How the estimate came about.
   *
   * @param examples N, over which everything is a mean
   * @param tokens input tokens, padding not counted
   * @param seconds wall-clock time, without that of a run that is continued
   * @param batch examples at a time, at the end
   * @param continuedAt example at which a killed run was continued, or 0
   * @param notes what a reader should know: what was left out, smaller batches and why
   */
  public record Course(
      int examples, long tokens, double seconds, int batch, int continuedAt, List<String> notes) {

    public Course {
      notes = List.copyOf(notes);
    }
  }

  private final Plan plan;
  private final Totals totals;
  private final Course course;
  private final Precision precision;

  Estimate(Plan plan, Totals totals, Course course, Precision precision) {
    this.plan = plan;
    this.totals = totals;
    this.course = course;
    this.precision = precision;
  }

  public Course course() {
    return course;
  }

  public Precision precision() {
    return precision;
  }

  /** All tensors, as they are named and shaped in a statistics file. */
  @Override
  public List<TensorInfo> tensors() {
    return plan.entries().stream().map(Entry::stored).toList();
  }

  /**
   * Hands out all tensors: means over examples, and entropies, rounded to f32. Squares that
   * rounding has made negative are 0.
   */
  @Override
  public void read(Statistics.Sink sink) {
    for (Entry entry : plan.entries()) {
      if (entry.statistic() == Statistic.ENTROPY) {
        sink.accept(entry.stored(), 0, new float[] {(float) totals.entropy(entry)});
        continue;
      }
      boolean square = entry.statistic().isFisher();
      totals.read(
          entry,
          (first, sums) -> {
            float[] means = new float[sums.length];
            for (int i = 0; i < sums.length; i++) {
              double mean = sums[i] / course.examples();
              means[i] = (float) (square ? Math.max(0, mean) : mean);
            }
            sink.accept(entry.stored(), first, means);
          });
    }
  }

  @Override
  public void close() {
    totals.close();
  }
}
