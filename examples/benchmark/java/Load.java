import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;

/** Does what load.go does, with the Java driver and as its authors advise: prepared once, asynchronous, on the driver's own threads. */
public class Load {
  static CqlSession session;
  static PreparedStatement statement;
  static int keys;
  static volatile Throwable failure;

  public static void main(String[] args) {
    try {
      System.out.println(load(args));
      System.exit(0); // without waiting for connections to close
    } catch (Throwable e) {
      e.printStackTrace();
      System.exit(1); // the driver's threads would go on
    }
  }

  static String load(String[] args) throws Exception {
    int workers = Integer.parseInt(args[0]);
    keys = Integer.parseInt(args[2]);
    session =
        CqlSession.builder()
            .withCloudSecureConnectBundle(Path.of(System.getenv("BUNDLE")))
            .withAuthCredentials(System.getenv("CQL_USER"), System.getenv("CQL_PASSWORD"))
            .build();
    statement = session.prepare(System.getenv("STATEMENT"));
    run(workers, Long.parseLong(args[3])); // for the compiler
    System.gc();
    return run(workers, Long.parseLong(args[1]));
  }

  static String run(int workers, long milliseconds) throws Exception {
    var os = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long cpu = os.getProcessCpuTime(), begin = System.nanoTime(), end = begin + milliseconds * 1_000_000;
    Worker[] all = new Worker[workers];
    CountDownLatch done = new CountDownLatch(workers);
    for (int w = 0; w < workers; w++) {
      all[w] = new Worker(w, workers, end, done);
    }
    for (Worker w : all) {
      w.next();
    }
    done.await();
    long took = System.nanoTime() - begin;
    cpu = os.getProcessCpuTime() - cpu;
    if (failure != null) {
      throw new IllegalStateException(failure);
    }
    long[] latencies = new long[0];
    for (Worker w : all) {
      int n = latencies.length;
      latencies = Arrays.copyOf(latencies, n + w.count);
      System.arraycopy(w.latencies, 0, latencies, n, w.count);
    }
    Arrays.sort(latencies);
    int n = latencies.length;
    return String.format(
        java.util.Locale.ROOT,
        "{\"Rate\":%f,\"CPU\":%f,\"P50\":%f,\"P99\":%f}",
        n * 1e9 / took, cpu / 1e3 / n, latencies[(n - 1) / 2] / 1e3, latencies[(int) (0.99 * (n - 1))] / 1e3);
  }

  /** One statement in flight. */
  static class Worker {
    final int step;
    final long end;
    final CountDownLatch done;
    int key;
    long[] latencies = new long[1 << 10];
    int count;

    Worker(int number, int workers, long end, CountDownLatch done) {
      this.key = number;
      this.step = workers;
      this.end = end;
      this.done = done;
    }

    void next() {
      long start = System.nanoTime();
      session
          .executeAsync(statement.bind("key-" + key))
          .whenComplete(
              (rows, error) -> {
                long now = System.nanoTime();
                if (error != null) {
                  failure = error;
                } else if (rows.one() == null) {
                  failure = new IllegalStateException("no row");
                }
                if (count == latencies.length) {
                  latencies = Arrays.copyOf(latencies, 2 * count);
                }
                latencies[count++] = now - start;
                key = (key + step) % keys;
                if (failure != null || now >= end) {
                  done.countDown();
                } else {
                  next();
                }
              });
    }
  }
}
