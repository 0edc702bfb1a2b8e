package dev.smelt.formats.work;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;

/**
 * Runs jobs on a fixed number of threads. Jobs start in the order given; the first failure stops
 * those not yet started and is thrown to the caller.
 */
public final class Workers {

  /** A pure function of named inputs to one output, or a part of one. */
  public interface Job {
    void run();
  }

  private Workers() {}

  public static void run(int threads, List<? extends Job> jobs) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads must be at least 1, found " + threads);
    }
    try (ExecutorService executor = Executors.newFixedThreadPool(threads)) {
      List<Future<?>> running = new ArrayList<>(jobs.size());
      for (Job job : jobs) {
        running.add(executor.submit(job::run));
      }
      await(executor, running);
    }
  }

  /** The results of {@code function} for each item, in the items' order. */
  public static <T, R> List<R> map(int threads, List<T> items, Function<T, R> function) {
    List<AtomicReference<R>> results = new ArrayList<>(items.size());
    List<Job> jobs = new ArrayList<>(items.size());
    for (T item : items) {
      AtomicReference<R> result = new AtomicReference<>();
      results.add(result);
      jobs.add(() -> result.set(function.apply(item)));
    }
    run(threads, jobs);
    return results.stream().map(AtomicReference::get).toList();
  }

  private static void await(ExecutorService executor, List<Future<?>> running) {
    boolean finished = false;
    try {
      for (Future<?> job : running) {
        job.get();
      }
      finished = true;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      if (e.getCause() instanceof Error failure) {
        throw failure;
      }
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CancellationException("interrupted");
    } finally {
      if (!finished) {
        executor.shutdownNow();
      }
    }
  }
}
