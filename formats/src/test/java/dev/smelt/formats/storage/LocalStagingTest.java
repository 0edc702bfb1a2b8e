package dev.smelt.formats.storage;

import static dev.smelt.formats.testing.CheckpointAssertions.assertEntries;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.StorageException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.testing.TestCheckpoints;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LocalStagingTest {

  @TempDir Path temp;

  private Path target = Path.of("");

  @BeforeEach
  void setTarget() {
    target = temp.resolve("out");
  }

  @Test
  void nothingIsVisibleBeforeTheCommit() {
    try (Staging staging = new LocalStaging(target, false)) {
      TestCheckpoints.write(staging.file("a"), "1");
      assertThat(target).doesNotExist();
      staging.commitFolder();
      assertEntries(temp, "out");
      assertEntries(target, "a");
    }
    assertEntries(temp, "out");
    assertEntries(target, "a");
  }

  @Test
  void closingWithoutCommitLeavesNothingNotEvenParents() {
    Path deep = temp.resolve("x/y/z/out");
    try (Staging staging = new LocalStaging(deep, false)) {
      TestCheckpoints.write(staging.file("a"), "1");
      assertThat(deep.getParent()).isDirectory();
    }
    assertEntries(temp);
  }

  @Test
  void parentsThatOthersUseStay() {
    Path deep = temp.resolve("x/y/out");
    try (Staging staging = new LocalStaging(deep, false)) {
      assertThat(staging.file("a")).doesNotExist();
      TestCheckpoints.write(temp.resolve("x/other"), "1");
    }
    assertEntries(temp.resolve("x"), "other");
  }

  @Test
  void committedParentsStay() {
    Path deep = temp.resolve("x/y/out");
    try (Staging staging = new LocalStaging(deep, false)) {
      staging.commitFolder();
    }
    assertThat(deep).isEmptyDirectory();
  }

  @Test
  void anExistingTargetIsRefused() {
    TestCheckpoints.write(target.resolve("old"), "1");
    assertThatThrownBy(() -> new LocalStaging(target, false))
        .isInstanceOf(UsageException.class)
        .hasMessageContainingAll("output exists", target.toString(), "--overwrite");
    assertEntries(temp, "out");
    assertEntries(target, "old");
  }

  @Test
  void aTargetThatAppearsMeanwhileIsNotReplaced() {
    try (Staging staging = new LocalStaging(target, false)) {
      TestCheckpoints.write(target.resolve("others"), "1");
      assertThatThrownBy(staging::commitFolder).isInstanceOf(UsageException.class);
      assertThatThrownBy(() -> staging.commitFiles("a")).isInstanceOf(UsageException.class);
    }
    assertEntries(temp, "out");
    assertEntries(target, "others");
  }

  @Test
  void overwritingReplacesTheWhole() {
    TestCheckpoints.write(target.resolve("old"), "1");
    try (Staging staging = new LocalStaging(target, true)) {
      TestCheckpoints.write(staging.file("new"), "2");
      assertEntries(target, "old");
      staging.commitFolder();
    }
    assertEntries(temp, "out");
    assertEntries(target, "new");
  }

  @Test
  void whenTheLastRenameFailsTheOldOutputIsBack() {
    TestCheckpoints.write(target.resolve("old"), "1");
    LocalStaging.Rename failing =
        (from, to) -> {
          if (String.valueOf(from.getFileName()).endsWith("-partial")) {
            throw new IOException("disk on fire");
          }
          Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
        };
    try (Staging staging = new LocalStaging(target, true, failing)) {
      TestCheckpoints.write(staging.file("new"), "2");
      assertThatThrownBy(staging::commitFolder)
          .isInstanceOf(StorageException.class)
          .hasMessageContainingAll("cannot write", target.toString(), "disk on fire");
    }
    assertEntries(temp, "out");
    assertEntries(target, "old");
  }

  @Test
  void outputSetAsideByAKilledRunIsBack() {
    TestCheckpoints.write(temp.resolve(".out.smelt-replaced/old"), "1");
    TestCheckpoints.write(temp.resolve(".out.smelt-partial/new"), "2");
    assertThatThrownBy(() -> new LocalStaging(target, false)).isInstanceOf(UsageException.class);
    assertEntries(target, "old");
    try (Staging staging = new LocalStaging(target, true)) {
      assertThat(staging.file("new")).doesNotExist();
    }
    assertEntries(temp, "out");
  }

  @Test
  void whatAKilledRunLeftIsReplaced() {
    TestCheckpoints.write(temp.resolve(".out.smelt-partial/a/b"), "stale");
    TestCheckpoints.write(temp.resolve(".out.smelt-partial/.smelt-lock"), "");
    try (Staging staging = new LocalStaging(target, false)) {
      assertThat(staging.file("a")).doesNotExist();
      TestCheckpoints.write(staging.file("fresh"), "1");
      staging.commitFolder();
    }
    assertEntries(temp, "out");
    assertEntries(target, "fresh");
  }

  @Test
  void aSecondRunOnTheSameTargetIsRefused() {
    try (Staging first = new LocalStaging(target, false)) {
      TestCheckpoints.write(first.file("a"), "1");
      for (int attempt = 0; attempt < 2; attempt++) {
        assertThatThrownBy(() -> new LocalStaging(target, false))
            .isInstanceOf(UsageException.class)
            .hasMessageContainingAll("another run", target.toString());
      }
      first.commitFolder();
    }
    assertEntries(target, "a");
  }

  /** A lock of another process holds; after its death what it left is taken over. */
  @Test
  void anotherProcessOnTheSameTargetIsRefusedWhileItLives() throws Exception {
    Path lock = TestCheckpoints.write(temp.resolve(".out.smelt-partial/.smelt-lock"), "");
    TestCheckpoints.write(temp.resolve(".out.smelt-partial/theirs"), "1");
    Process other =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                LockHolder.class.getName(),
                lock.toString())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      assertThat(other.getInputStream().read()).as("sign that the lock is held").isEqualTo('L');
      assertThatThrownBy(() -> new LocalStaging(target, true))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("another run");
      assertThat(temp.resolve(".out.smelt-partial/theirs")).exists();
    } finally {
      other.destroyForcibly();
    }
    assertThat(other.waitFor(1, TimeUnit.MINUTES)).isTrue();
    try (Staging staging = new LocalStaging(target, false)) {
      assertThat(staging.file("theirs")).doesNotExist();
    }
    assertEntries(temp);
  }

  /** Holds a lock until it is killed. */
  static final class LockHolder {

    private LockHolder() {}

    public static void main(String[] arguments) throws Exception {
      Path file = Path.of(arguments[0]);
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
          FileLock lock = channel.lock()) {
        System.out.write(lock.isValid() ? 'L' : 'N');
        System.out.flush();
        TimeUnit.MINUTES.sleep(5);
      }
    }
  }

  @Test
  void filesMoveBesideEachOther() {
    TestCheckpoints.write(temp.resolve("b"), "old");
    try (Staging staging = new LocalStaging(target, false)) {
      TestCheckpoints.write(staging.file("a"), "1");
      TestCheckpoints.write(staging.file("b"), "2");
      TestCheckpoints.write(staging.file("not named"), "3");
      staging.commitFiles("a", "b");
    }
    assertEntries(temp, "a", "b");
    assertThat(temp.resolve("b")).hasContent("2");
  }

  @Test
  void belowARegularFileNothingCanBeWritten() {
    Path file = TestCheckpoints.write(temp.resolve("file"), "1");
    for (String below : new String[] {"out", "x/y/out"}) {
      assertThatThrownBy(() -> new LocalStaging(file.resolve(below), true))
          .isInstanceOf(StorageException.class)
          .hasMessageContainingAll("cannot write", file.toString());
    }
    assertEntries(temp, "file");
    assertThat(file).hasContent("1");
  }

  @Test
  void aLinkIsReplacedNotWhatItPointsTo() throws IOException {
    TestCheckpoints.write(temp.resolve("real/kept"), "1");
    Files.createSymbolicLink(target, temp.resolve("real"));
    try (Staging staging = new LocalStaging(target, true)) {
      TestCheckpoints.write(staging.file("new"), "2");
      staging.commitFolder();
    }
    assertEntries(temp, "out", "real");
    assertEntries(temp.resolve("real"), "kept");
    assertEntries(target, "new");
  }
}
