package dev.smelt.formats.storage;

import dev.smelt.formats.LimitException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.StorageException;
import dev.smelt.formats.UsageException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The local file system. */
final class LocalStorage implements Storage {

  static final LocalStorage INSTANCE = new LocalStorage();

  private LocalStorage() {}

  @Override
  public boolean exists(Path path) {
    return Files.exists(path);
  }

  @Override
  public boolean isFolder(Path path) {
    return Files.isDirectory(path);
  }

  @Override
  public boolean isEmptyFolder(Path path) {
    try (Stream<Path> entries = Files.list(path)) {
      return entries.findAny().isEmpty();
    } catch (IOException e) {
      throw new StorageException("cannot list", path, e);
    }
  }

  @Override
  public boolean isInside(Path path, Path folder) {
    try {
      return Files.exists(path)
          && Files.exists(folder)
          && path.toRealPath().startsWith(folder.toRealPath());
    } catch (IOException e) {
      throw new StorageException("cannot read", path, e);
    }
  }

  @Override
  public void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new StorageException("cannot delete", file, e);
    }
  }

  @Override
  public long size(Path file) {
    requireFile(file);
    try {
      return Files.size(file);
    } catch (IOException e) {
      throw new StorageException("cannot read", file, e);
    }
  }

  @Override
  public List<Path> files(Path folder) {
    return entries(folder, Files::isRegularFile);
  }

  @Override
  public List<Path> folders(Path folder) {
    return entries(folder, Files::isDirectory);
  }

  private static List<Path> entries(Path folder, Predicate<Path> wanted) {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.filter(wanted).sorted().toList();
    } catch (IOException e) {
      throw new StorageException("cannot list", folder, e);
    }
  }

  @Override
  public byte[] read(Path file, long limit) {
    long size = size(file);
    if (size > limit) {
      throw new LimitException(
          "file too large", file.toString(), "has " + size + " bytes, at most " + limit, "");
    }
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new StorageException("cannot read", file, e);
    }
  }

  @Override
  public MemorySegment map(Path file, Arena arena) {
    requireFile(file);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      return channel.map(MapMode.READ_ONLY, 0, channel.size(), arena);
    } catch (IOException e) {
      throw new StorageException("cannot read", file, e);
    }
  }

  @Override
  public Scratch scratch(Path target) {
    Path folder = target.toAbsolutePath().normalize();
    while (!Files.isDirectory(folder)) {
      @Nullable Path parent = folder.getParent();
      if (parent == null) {
        throw new UsageException("cannot write to " + target, "name a file or a new folder");
      }
      folder = parent;
    }
    return new LocalScratch(folder);
  }

  @Override
  public void discardUnfinished() {
    Unfinished.discardAll();
  }

  @Override
  public Staging stage(Path target, boolean overwrite) {
    return new LocalStaging(target, overwrite);
  }

  private static void requireFile(Path file) {
    if (!Files.exists(file)) {
      throw new NotFoundException("no such file", file.toString(), "", "check the path");
    }
    if (!Files.isRegularFile(file)) {
      throw new NotFoundException("not a file", file.toString(), "", "give a file, not a folder");
    }
  }
}
