<?php

use BeyondCode\LaravelWebSockets\Dashboard\Http\Middleware\Authorize;

return array(
    'dashboard' => ['port' => env('LARAVEL_WEBSOCKETS_PORT', 6001), 'middleware' => ['web', Authorize::class]],
    'apps' => [
        ['id' => env('PUSHER_APP_ID'), 'name' => env('APP_NAME'), 'key' => env('PUSHER_APP_KEY'), 'secret' => env('PUSHER_APP_SECRET'),
         'capacity' => null, 'enable_client_messages' => true, 'enable_statistics' => true, 'allowed_origins' => []],
    ],
    'max_request_size_in_kb' => 250,
    'statistics' => ['interval_in_seconds' => 60],
);
