import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.cql.AsyncResultSet;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.BatchType;
import com.datastax.oss.driver.api.core.cql.ColumnDefinition;
import com.datastax.oss.driver.api.core.cql.ColumnDefinitions;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.ResultSet;
import com.datastax.oss.driver.api.core.metadata.Node;
import com.datastax.oss.driver.api.core.metadata.TokenMap;
import com.datastax.oss.driver.api.core.metadata.schema.ColumnMetadata;
import com.datastax.oss.driver.api.core.metadata.schema.TableMetadata;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Tells on standard output, in lines of JSON, what the driver saw. See conformance_test.go for what is asked of it. */
public class Client {
  static CqlSession session;

  public static void main(String[] args) throws Exception {
    try {
      session =
          CqlSession.builder()
              .withCloudSecureConnectBundle(Path.of(System.getenv("BUNDLE")))
              .withAuthCredentials(System.getenv("CQL_USER"), System.getenv("CQL_PASSWORD"))
              .build();
    } catch (RuntimeException e) {
      say("refused", "error", e.toString());
      return;
    }
    connected();
    schema();
    prepared();
    paged();
    batched();
    warned();
    say("balanced", "served", read(60));
    say("waiting");
    new BufferedReader(new InputStreamReader(System.in)).readLine();
    Thread.sleep(1000);
    say("degraded", "served", read(60));
    session.close();
  }

  static void connected() {
    TokenMap ring = session.getMetadata().getTokenMap().get();
    List<Object> nodes = new ArrayList<>();
    for (Node n : session.getMetadata().getNodes().values()) {
      nodes.add(
          map(
              "host_id", n.getHostId().toString(),
              "datacenter", n.getDatacenter(),
              "rack", n.getRack(),
              "version", n.getCassandraVersion().toString(),
              "tokens", ring.getTokens(n).size()));
    }
    say("connected", "nodes", nodes, "protocol", session.getContext().getProtocolVersion().getCode());
  }

  static void schema() {
    TableMetadata t = session.getMetadata().getKeyspace("conformance").get().getTable("items").get();
    Map<String, Object> columns = new LinkedHashMap<>();
    for (ColumnMetadata c : t.getColumns().values()) {
      columns.put(c.getName().asInternal(), c.getType().asCql(true, false));
    }
    List<Object> partition = new ArrayList<>(), clustering = new ArrayList<>();
    t.getPartitionKey().forEach(c -> partition.add(c.getName().asInternal()));
    t.getClusteringColumns().keySet().forEach(c -> clustering.add(c.getName().asInternal()));
    say("schema", "columns", columns, "partition_key", partition, "clustering", clustering);
  }

  static void prepared() {
    PreparedStatement p = session.prepare("INSERT INTO conformance.items (id, c, v) VALUES (?, ?, ?)");
    session.execute(p.bind(7, 7, "seven"));
    PreparedStatement q = session.prepare("SELECT id, c, v FROM conformance.items WHERE id = ?");
    say(
        "prepared",
        "variables", types(p.getVariableDefinitions()),
        "key", p.getPartitionKeyIndices(),
        "columns", types(q.getResultSetDefinitions()));
  }

  static void paged() throws Exception {
    PreparedStatement p = session.prepare("SELECT id, c, v FROM conformance.items WHERE id = ?");
    int rows = 0, pages = 0;
    AsyncResultSet page = session.executeAsync(p.bind(1).setPageSize(100)).toCompletableFuture().get();
    while (true) {
      pages++;
      for (var row : page.currentPage()) {
        if (row.getInt("c") != rows || !row.getString("v").equals("row " + rows)) {
          throw new IllegalStateException("row " + rows + " is " + row.getFormattedContents());
        }
        rows++;
      }
      if (!page.hasMorePages()) {
        break;
      }
      page = page.fetchNextPage().toCompletableFuture().get();
    }
    say("paged", "rows", rows, "pages", pages);
  }

  static void batched() {
    PreparedStatement p = session.prepare("INSERT INTO conformance.items (id, c, v) VALUES (?, ?, ?)");
    session.execute(BatchStatement.newInstance(BatchType.LOGGED, p.bind(8, 1, "a"), p.bind(8, 2, "b")));
    session.execute(BatchStatement.newInstance(BatchType.UNLOGGED, p.bind(8, 3, "c")));
    say("batched");
  }

  static void warned() {
    ResultSet r = session.execute("SELECT count(*) FROM conformance.items");
    say("warned", "warnings", r.getExecutionInfo().getWarnings());
  }

  static Map<String, Object> read(int n) {
    PreparedStatement p = session.prepare("SELECT id, c, v FROM conformance.items WHERE id = ?");
    Map<String, Object> served = new LinkedHashMap<>();
    for (int i = 0; i < n; i++) {
      ResultSet r = session.execute(p.bind(100 + i).setIdempotent(true));
      String id = r.getExecutionInfo().getCoordinator().getHostId().toString();
      served.merge(id, 1, (a, b) -> (Integer) a + (Integer) b);
    }
    return served;
  }

  static List<Object> types(ColumnDefinitions definitions) {
    List<Object> list = new ArrayList<>();
    for (ColumnDefinition d : definitions) {
      list.add(d.getName().asInternal() + " " + d.getType().asCql(true, false));
    }
    return list;
  }

  static Map<String, Object> map(Object... pairs) {
    Map<String, Object> m = new LinkedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) {
      m.put((String) pairs[i], pairs[i + 1]);
    }
    return m;
  }

  static void say(String step, Object... pairs) {
    Map<String, Object> m = map("step", step);
    m.putAll(map(pairs));
    System.out.println(json(m));
  }

  static String json(Object o) {
    if (o instanceof Map<?, ?> m) {
      List<String> list = new ArrayList<>();
      m.forEach((k, v) -> list.add(json(k.toString()) + ":" + json(v)));
      return "{" + String.join(",", list) + "}";
    }
    if (o instanceof List<?> l) {
      return "[" + String.join(",", l.stream().map(Client::json).toList()) + "]";
    }
    if (o instanceof Number || o instanceof Boolean || o == null) {
      return String.valueOf(o);
    }
    StringBuilder b = new StringBuilder("\"");
    for (char c : o.toString().toCharArray()) {
      b.append(c == '"' || c == '\\' ? "\\" + c : c < ' ' ? String.format("\\u%04x", (int) c) : String.valueOf(c));
    }
    return b.append('"').toString();
  }
}
