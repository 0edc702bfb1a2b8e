package dev.smelt.formats.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.TensorView;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** What tests of every module say about checkpoints and output folders. */
public final class CheckpointAssertions {

  private CheckpointAssertions() {}

  /** Both hold tensors of the same names, types, shapes and bits, in whatever files and order. */
  public static void assertSameTensors(Path actual, Path expected) {
    try (Checkpoint a = Checkpoint.open(actual);
        Checkpoint b = Checkpoint.open(expected)) {
      assertSameTensors(a, b);
    }
  }

  /** As {@link #assertSameTensors(Path, Path)}. */
  public static void assertSameTensors(Checkpoint actual, Checkpoint expected) {
    assertThat(names(actual)).isEqualTo(names(expected));
    for (TensorView view : expected.tensors()) {
      assertThat(actual.tensor(view.name()).info()).isEqualTo(view.info());
      assertThat(actual.tensor(view.name()).segment().mismatch(view.segment()))
          .as("first differing byte of %s", view.name())
          .isEqualTo(-1);
    }
  }

  /** The checkpoint holds exactly these tensors, bit for bit. */
  public static void assertHolds(Checkpoint actual, List<TestTensor> expected) {
    assertThat(names(actual)).isEqualTo(expected.stream().map(TestTensor::name).sorted().toList());
    for (TestTensor tensor : expected) {
      TensorView view = actual.tensor(tensor.name());
      assertThat(view.info()).isEqualTo(tensor.info());
      assertThat(view.segment().toArray(ValueLayout.JAVA_BYTE))
          .as(tensor.name())
          .isEqualTo(tensor.bytes());
    }
  }

  /** Nothing half-written or set aside is in the folder or below it. */
  public static void assertNoLeftovers(Path folder) {
    try (Stream<Path> paths = Files.walk(folder)) {
      assertThat(paths.map(path -> String.valueOf(path.getFileName())))
          .noneMatch(name -> name.contains(".smelt-"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The folder holds exactly these entries. */
  public static void assertEntries(Path folder, String... names) {
    try (Stream<Path> paths = Files.list(folder)) {
      assertThat(paths.map(path -> String.valueOf(path.getFileName())))
          .containsExactlyInAnyOrder(names);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<String> names(Checkpoint checkpoint) {
    return checkpoint.tensors().stream().map(TensorView::name).sorted().toList();
  }
}
