package dev.smelt.cli.diff;

import dev.smelt.gpu.data.Dataset;
import dev.smelt.gpu.network.Network;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a reader of numbers should know of how they came about. */
public final class DataNotes {

  private DataNotes() {}

  /** For a report: nothing where examples are no sequences of tokens. */
  public static @Nullable Long tokens(long count) {
    return count == 0 ? null : Long.valueOf(count);
  }

  public static List<String> of(Network network, Dataset dataset) {
    List<String> notes = new ArrayList<>(network.notes());
    if (dataset.truncated() > 0) {
      notes.add(
          String.format(
              "%d of %d examples of %s were cut to %d tokens",
              dataset.truncated(),
              dataset.examples().size(),
              dataset.file(),
              dataset.seqLen().orElseThrow()));
    }
    if (!network.unusedTensors().isEmpty()) {
      notes.add("tensors the network does not use: " + String.join(", ", network.unusedTensors()));
    }
    return notes;
  }
}
